package io.fairlora.lora;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Preconditions.checkState;

import ai.djl.ndarray.NDArray;
import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSet;
import io.fairlora.ndarray.GradientMode;
import io.fairlora.ndarray.Scope;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Named adapters over one backbone, for inference: which of them are active and how strongly, for a
 * while or for good, and which one each example of a batch gets.
 *
 * <pre>{@code
 * try (AdapterSet adapters = AdapterSet.on(backbone)) {
 *     adapters.add("smiling", smiling);
 *     adapters.add("male", male);
 *     adapters.activate("smiling");
 *     NDArray features = adapters.features(pixels);
 *     adapters.setScale("male", -1);
 *     try (AdapterSet.Activation unlearned = adapters.with("smiling", "male")) {
 *         NDArray without = adapters.features(pixels);
 *     }
 *     NDArray mixed = adapters.features(pixels, List.of("smiling", "male", AdapterSet.BASE));
 * }
 * }</pre>
 *
 * <p>A set has a fork of the backbone of its own, so that sets over the same weights do not see
 * each other's adapters. Adding, replacing and removing adapters leaves the weights alone. Not safe
 * for use from several threads; give each a set.
 */
public final class AdapterSet implements AutoCloseable {

    /** Stands for no adapter where examples are given adapters, as in PEFT. */
    public static final String BASE = "__base__";

    private final Backbone backbone;
    private final Map<String, InjectedLora> adapters = new LinkedHashMap<>();
    private final Deque<Activation> activations = new ArrayDeque<>();
    private ImmutableList<String> active = ImmutableList.of();

    private AdapterSet(Backbone backbone) {
        this.backbone = backbone;
    }

    /**
     * An empty set.
     *
     * @param backbone the backbone, which stays the caller's and outlives the set
     * @return a set without adapters
     */
    public static AdapterSet on(Backbone backbone) {
        return new AdapterSet(backbone.fork());
    }

    /**
     * The backbone under the active adapters.
     *
     * @return this set's fork, to be read but not to be given adapters by other ways
     */
    public Backbone backbone() {
        return backbone;
    }

    /**
     * Adds an adapter, which is not active yet.
     *
     * @param name a name of its own
     * @param adapter the adapter; its saved modules are left to the caller
     * @throws IllegalArgumentException if the name is taken, blank or {@link #BASE}, or the adapter
     *     does not fit the backbone or is not finite
     */
    public void add(String name, LoraAdapter adapter) {
        checkArgument(!adapters.containsKey(name), "there is an adapter %s already", name);
        checkArgument(!name.equals(BASE), "%s stands for no adapter", BASE);
        adapters.put(name, LoraInjector.load(backbone, adapter, name, 1, false));
    }

    /**
     * Puts another adapter in the place of one: under the same name, as active as it was, with the
     * same scale. Layers, rank and kind may differ. If it does not fit, nothing has changed.
     *
     * @param name the name of an adapter
     * @param adapter the new adapter
     * @throws IllegalArgumentException if there is no such adapter, the new one does not fit the
     *     backbone or is not finite, or it brings biases that another active one brings too
     */
    public void replace(String name, LoraAdapter adapter) {
        InjectedLora old = get(name);
        InjectedLora fresh = LoraInjector.load(backbone, adapter, name, 1, false);
        fresh.setScale(old.scale());
        ImmutableList<String> before = active;
        apply(ImmutableList.of());
        adapters.put(name, fresh);
        try {
            apply(before);
        } catch (RuntimeException e) {
            adapters.put(name, old);
            apply(before);
            fresh.close();
            throw e;
        }
        old.close();
    }

    /**
     * Removes an adapter and frees its arrays.
     *
     * @param name an adapter that is not active
     * @throws IllegalArgumentException if there is no such adapter
     * @throws IllegalStateException if it is active, or will be when an {@link Activation} ends
     */
    public void remove(String name) {
        InjectedLora adapter = get(name);
        checkState(
                !active.contains(name)
                        && activations.stream().noneMatch(a -> a.before.contains(name)),
                "adapter %s is active; activate others first",
                name);
        adapters.remove(name);
        adapter.close();
    }

    /**
     * The names of all adapters.
     *
     * @return an immutable copy in the order of addition
     */
    public Set<String> names() {
        return ImmutableSet.copyOf(adapters.keySet());
    }

    /**
     * The names of the active adapters.
     *
     * @return in the order in which their changes are added
     */
    public List<String> active() {
        return active;
    }

    /**
     * Makes some adapters active and all others not. Changes are added in the order given, which
     * matters to DoRA alone.
     *
     * @param names adapters, each once; none for the plain backbone
     * @throws IllegalArgumentException if there is no such adapter, one is named twice, or two of
     *     them bring biases of the backbone; then nothing has changed
     */
    public void activate(String... names) {
        ImmutableList<String> wanted = ImmutableList.copyOf(names);
        wanted.forEach(this::get);
        checkArgument(
                new LinkedHashSet<>(wanted).size() == wanted.size(),
                "an adapter is named twice in %s",
                wanted);
        ImmutableList<String> before = active;
        try {
            apply(wanted);
        } catch (RuntimeException e) {
            apply(before);
            throw e;
        }
    }

    /**
     * Makes some adapters active, and all others not, until the result is closed.
     *
     * @param names as for {@link #activate}
     * @return what makes those active again that are now
     * @throws IllegalArgumentException as for {@link #activate}
     */
    public Activation with(String... names) {
        Activation activation = new Activation(active);
        activate(names);
        activations.push(activation);
        return activation;
    }

    /**
     * Makes no adapter active until the result is closed.
     *
     * @return what makes those active again that are now
     */
    public Activation disabled() {
        return with();
    }

    /** A choice of active adapters that ends. Those made later must have ended. */
    public final class Activation implements AutoCloseable {

        private final ImmutableList<String> before;
        private boolean ended;

        private Activation(ImmutableList<String> before) {
            this.before = before;
        }

        /**
         * Makes the adapters active that were before; does nothing the second time.
         *
         * @throws IllegalStateException if one made later has not ended
         */
        @Override
        public void close() {
            if (ended) {
                return;
            }
            checkState(
                    activations.peek() == this,
                    "activations must end in the reverse order of theirs");
            activations.pop();
            ended = true;
            apply(before);
        }
    }

    private void apply(ImmutableList<String> wanted) {
        adapters.values().forEach(adapter -> adapter.setEnabled(false));
        active = ImmutableList.of();
        for (String name : wanted) {
            get(name).setEnabled(true);
        }
        active = wanted;
    }

    /**
     * Multiplies what an adapter adds by a factor, which replaces the one set before; see {@link
     * InjectedLora#setScale}.
     *
     * @param name an adapter, active or not
     * @param factor any finite number; 1 is the adapter as it was added, -1 subtracts it
     * @throws IllegalArgumentException if there is no such adapter or the factor is not finite
     */
    public void setScale(String name, double factor) {
        get(name).setScale(factor);
    }

    /**
     * The factor of an adapter.
     *
     * @param name an adapter
     * @return 1 unless set otherwise
     * @throws IllegalArgumentException if there is no such adapter
     */
    public double scale(String name) {
        return get(name).scale();
    }

    private InjectedLora get(String name) {
        InjectedLora adapter = adapters.get(name);
        checkArgument(adapter != null, "there is no adapter %s, found %s", name, names());
        return adapter;
    }

    /**
     * Computes the features of a batch under the active adapters, without recording gradients.
     *
     * @param pixels as for {@link Backbone#features}
     * @return features of shape (batch, D), owned by the manager of {@code pixels}
     */
    public NDArray features(NDArray pixels) {
        return GradientMode.OFF.get(() -> backbone.features(pixels));
    }

    /**
     * Computes the features of a batch in one pass, each example under an adapter of its own,
     * without recording gradients. Scales count; which adapters are active does not.
     *
     * @param pixels as for {@link Backbone#features}
     * @param names for each example the name of an adapter, or {@link #BASE} for none
     * @return features of shape (batch, D), owned by the manager of {@code pixels}
     * @throws IllegalArgumentException if there are not as many names as examples, one is of no
     *     adapter, or an adapter brings biases outside the layers that carry it or changes what is
     *     no {@link LoraLinear}
     */
    public NDArray features(NDArray pixels, List<String> names) {
        long batch = pixels.getShape().get(0);
        checkArgument(
                names.size() == batch,
                "%s examples need as many names, found %s",
                batch,
                names.size());
        Map<String, InjectedLora> chosen = new LinkedHashMap<>();
        for (String name : names) {
            if (!name.equals(BASE)) {
                InjectedLora adapter = get(name);
                checkArgument(
                        adapter.biasesAreInAdaptedLayers(),
                        "adapter %s brings biases outside its layers; apply it to a whole batch",
                        name);
                chosen.put(name, adapter);
            }
        }
        Map<String, LoraLinear> layers = takingExamples(chosen);
        ImmutableList<String> before = active;
        apply(ImmutableList.of());
        try {
            return GradientMode.OFF.get(
                    () ->
                            Scope.keep(
                                    () -> {
                                        layers.forEach(
                                                (path, layer) ->
                                                        layer.setExamples(
                                                                ExampleAdapters.of(
                                                                        names, chosen, path,
                                                                        layer)));
                                        return backbone.features(pixels);
                                    }));
        } finally {
            layers.values().forEach(layer -> layer.setExamples(null));
            apply(before);
        }
    }

    /** The linear layers, if the adapters change no others. */
    private Map<String, LoraLinear> takingExamples(Map<String, InjectedLora> chosen) {
        Map<String, LoraLinear> linears = new LinkedHashMap<>();
        backbone.loraLayers()
                .forEach(
                        (path, layer) -> {
                            if (layer instanceof LoraLinear linear) {
                                linears.put(path, linear);
                            } else {
                                checkArgument(
                                        chosen.values().stream().noneMatch(a -> a.in(path) != null),
                                        "layer %s is adapted through its weight, which examples"
                                                + " share: they cannot have adapters of their own",
                                        path);
                            }
                        });
        return linears;
    }

    /** Frees the adapters; the backbone that the set was made on stays. */
    @Override
    public void close() {
        adapters.values().forEach(InjectedLora::close);
        adapters.clear();
        backbone.close();
    }
}
