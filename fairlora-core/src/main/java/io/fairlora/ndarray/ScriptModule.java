package io.fairlora.ndarray;

import ai.djl.Device;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import com.google.common.base.CharMatcher;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The scripted functions on one device. Lives as long as the process; safe from any thread. */
final class ScriptModule {

    private static final Map<Device, ScriptModule> LOADED = new ConcurrentHashMap<>();

    private static final CharMatcher STRUCTURE = CharMatcher.anyOf(".[(:");

    private final NDManager manager;
    private final PtSymbolBlock block;
    private final Map<String, NDArray> markers = new ConcurrentHashMap<>();
    private final Map<Integer, NDArray> numbers = new ConcurrentHashMap<>();

    private ScriptModule(Device device) {
        manager = NDManager.newBaseManager(device, "PyTorch");
        try {
            block =
                    JniUtils.loadModule(
                            (PtNDManager) manager,
                            new ByteArrayInputStream(
                                    TorchScriptArchive.of("Kernels", KernelSource.TEXT)),
                            false,
                            false);
        } catch (IOException | EngineException e) {
            manager.close();
            throw new IllegalStateException(
                    "the PyTorch engine cannot load the scripted functions on "
                            + device
                            + "; precision BF16 and decompositions need them",
                    e);
        }
    }

    /**
     * The functions on a device, loaded on first use.
     *
     * @throws IllegalStateException if the engine refuses to load them
     */
    static ScriptModule on(Device device) {
        return LOADED.computeIfAbsent(device, ScriptModule::new);
    }

    /**
     * Calls a function.
     *
     * @param method its name in {@link KernelSource}
     * @param arguments the arguments; the first owns the result
     */
    NDArray call(String method, NDArray... arguments) {
        return callAll(method, arguments).singletonOrThrow();
    }

    /** Calls a function that returns several arrays; the first argument owns them. */
    NDList callAll(String method, NDArray... arguments) {
        NDList list = new NDList(arguments.length + 1);
        List<NDArray> aliases = new ArrayList<>();
        for (NDArray argument : arguments) {
            NDArray plain = argument;
            if (readsAsStructure(argument.getName())) {
                plain = argument.reshape(argument.getShape());
                aliases.add(plain);
            }
            list.add(plain);
        }
        list.add(markers.computeIfAbsent(method, this::marker));
        try {
            return IValueUtils.forward(block, list, true);
        } finally {
            aliases.forEach(NDArray::close);
        }
    }

    /** A whole number as an argument: an array of that length, as DJL passes arrays only. */
    NDArray number(int value) {
        return numbers.computeIfAbsent(
                value,
                length -> {
                    NDArray array = manager.zeros(new Shape(length));
                    NDScope.unregister(array);
                    return array;
                });
    }

    /** DJL takes the method to call from the name of an extra array. */
    private NDArray marker(String method) {
        NDArray marker = manager.create(0f);
        NDScope.unregister(marker);
        marker.setName("module_method:" + method);
        return marker;
    }

    /** DJL takes arrays named {@code a.b}, {@code a[]}, {@code a()} for parts of a collection. */
    private static boolean readsAsStructure(@Nullable String name) {
        return name != null && STRUCTURE.matchesAnyOf(name);
    }
}
