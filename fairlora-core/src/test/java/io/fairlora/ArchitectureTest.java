package io.fairlora;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.fairlora.party.AuditImages;
import io.fairlora.party.AuditorDescription;
import io.fairlora.party.Candidate;
import io.fairlora.party.CounterUpdateRequest;
import io.fairlora.party.EraserRequest;
import io.fairlora.party.FairnessAuditor;
import io.fairlora.party.LocalAuditor;
import io.fairlora.party.SensitiveAdapterRequest;
import io.fairlora.party.SensitiveImages;
import io.fairlora.party.SolutionDeveloper;
import io.fairlora.training.Images;
import io.fairlora.training.TaskImages;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArchitectureTest {

    private static final String ROOT = "io.fairlora";

    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                    .withImportOption(location -> !location.contains("/metrics/"))
                    .importPackages(ROOT);

    /** From the bottom up: a package may depend on those before it alone. */
    private static final List<String> ORDER =
            List.of("ndarray", "safetensors", "lora", "training", "party", "strategy", "");

    private static String packageOf(String name) {
        return name.isEmpty() ? ROOT : ROOT + "." + name;
    }

    @Test
    void everyPackageHasItsPlace() {
        Set<String> found = new HashSet<>();
        for (JavaClass type : CLASSES) {
            found.add(type.getPackageName());
        }
        assertThat(found)
                .containsExactlyInAnyOrderElementsOf(
                        ORDER.stream().map(ArchitectureTest::packageOf).toList());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ndarray", "safetensors", "lora", "training", "party", "strategy"})
    void packagesDependOnThoseBelowThemAlone(String name) {
        String[] above =
                ORDER.subList(ORDER.indexOf(name) + 1, ORDER.size()).stream()
                        .map(ArchitectureTest::packageOf)
                        .toArray(String[]::new);
        noClasses()
                .that()
                .resideInAPackage(packageOf(name))
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(above)
                .check(CLASSES);
    }

    @Test
    void thereAreNoCycles() {
        slices().matching("io.fairlora.(*)..").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void onlyNdarrayKnowsTheEngine() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..ndarray..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.djl.pytorch..")
                .check(CLASSES);
    }

    @Test
    void onlyNdarrayReadsFromTheDevice() {
        noClasses()
                .that()
                .resideOutsideOfPackage("..ndarray..")
                .should()
                .callMethodWhere(
                        target(owner(JavaClass.Predicates.assignableTo(NDArray.class)))
                                .and(
                                        target(
                                                nameMatching(
                                                        "to\\w*Array|toByteBuffer|encode|"
                                                                + "get(Float|Double|Int|Long|"
                                                                + "Byte|Uint8|Boolean|"
                                                                + "String)"))))
                .check(CLASSES);
    }

    @Test
    void theDeveloperDoesNotKnowTheAuditorsData() {
        noClasses()
                .that()
                .resideInAnyPackage("io.fairlora.strategy", ROOT)
                .or()
                .belongToAnyOf(SolutionDeveloper.class)
                .should()
                .dependOnClassesThat()
                .belongToAnyOf(SensitiveImages.class, AuditImages.class, LocalAuditor.class)
                .check(CLASSES);
    }

    @Test
    void messagesCarryNoExamples() {
        noClasses()
                .that()
                .belongToAnyOf(
                        FairnessAuditor.class,
                        AuditorDescription.class,
                        SensitiveAdapterRequest.class,
                        CounterUpdateRequest.class,
                        EraserRequest.class,
                        Candidate.class)
                .should()
                .dependOnClassesThat()
                .belongToAnyOf(
                        SensitiveImages.class, AuditImages.class, TaskImages.class, Images.class)
                .check(CLASSES);
    }

    @Test
    void nothingHandsOutTheAuditorsData() {
        methods()
                .that()
                .arePublic()
                .and()
                .areDeclaredInClassesThat()
                .resideOutsideOfPackage("..fairlora.party..")
                .should()
                .notHaveRawReturnType(SensitiveImages.class)
                .check(CLASSES);
    }

    /** What is public tells names and counts; the labels' own types do not come out. */
    @ParameterizedTest
    @ValueSource(classes = {SensitiveImages.class, AuditImages.class})
    void theAuditorsDataHasNoPublicLabels(Class<?> type) {
        Set<Class<?>> harmless = Set.of(String.class, List.class, type);
        for (Method method : type.getDeclaredMethods()) {
            if (Modifier.isPublic(method.getModifiers())) {
                boolean size = method.getName().equals("size") && method.getParameterCount() == 0;
                assertThat(size || harmless.contains(method.getReturnType()))
                        .as(method.toString())
                        .isTrue();
            }
        }
        assertThat(type.getConstructors()).isEmpty();
        assertThat(Arrays.stream(type.getDeclaredFields()))
                .allMatch(field -> Modifier.isPrivate(field.getModifiers()));
        assertThat(Modifier.isFinal(type.getModifiers())).isTrue();
    }

    /** The rules see what they are about. */
    @Test
    void theClassesAreThere() {
        JavaMethod data = CLASSES.get(SensitiveImages.class).getMethod("data");
        assertThat(data.getRawReturnType().isEquivalentTo(TaskImages.class)).isTrue();
        assertThat(CLASSES.get("io.fairlora.ndarray.HostTensor").getMethodCallsFromSelf())
                .anyMatch(call -> call.getTarget().getName().equals("toFloatArray"));
        assertThat(CLASSES.get("io.fairlora.party.LocalAuditor").getDirectDependenciesFromSelf())
                .anyMatch(d -> d.getTargetClass().isEquivalentTo(SensitiveImages.class));
    }
}
