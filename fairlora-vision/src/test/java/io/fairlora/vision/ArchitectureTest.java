package io.fairlora.vision;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;

@AnalyzeClasses(
        packages = "io.fairlora.vision",
        importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    @ArchTest
    static final ArchRule packagesHaveNoCycles =
            slices().matching("io.fairlora.vision.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule pixelsKnowNeitherModelsNorDatasets =
            noClasses()
                    .that()
                    .resideInAPackage("io.fairlora.vision.transform..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "io.fairlora.vision.dataset..",
                            "io.fairlora.vision.vit..",
                            "io.fairlora.vision.synth..",
                            "io.fairlora.vision.zoo..");

    @ArchTest
    static final ArchRule datasetsKnowNoModel =
            noClasses()
                    .that()
                    .resideInAnyPackage(
                            "io.fairlora.vision.dataset..", "io.fairlora.vision.synth..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage("io.fairlora.vision.vit..", "io.fairlora.vision.zoo..");

    @ArchTest
    static final ArchRule modelsKnowNoDataset =
            noClasses()
                    .that()
                    .resideInAnyPackage("io.fairlora.vision.vit..", "io.fairlora.vision.zoo..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(
                            "io.fairlora.vision.dataset..", "io.fairlora.vision.synth..");

    @ArchTest
    static final ArchRule theHubKnowsFilesOnly =
            noClasses()
                    .that()
                    .resideInAPackage("io.fairlora.vision.hub..")
                    .should()
                    .dependOnClassesThat(
                            JavaClass.Predicates.resideInAPackage("io.fairlora..")
                                    .and(
                                            JavaClass.Predicates.resideOutsideOfPackage(
                                                    "io.fairlora.vision.hub..")));

    @ArchTest
    static final ArchRule onlyCoreTouchesTheEngine =
            noClasses().should().dependOnClassesThat().resideInAPackage("ai.djl.pytorch..");

    @ArchTest
    static final ArchRule onlyCoreCopiesArraysToTheHost =
            noClasses()
                    .should()
                    .callMethodWhere(
                            target(owner(JavaClass.Predicates.assignableTo(NDArray.class)))
                                    .and(
                                            target(
                                                    nameMatching(
                                                            "to[A-Z]\\w*Array|toArray|toByteBuffer"
                                                                    + "|get(Float|Double|Int|Long|Byte"
                                                                    + "|Uint8|Boolean|String)"))));

    @ArchTest
    static void everyPackageSaysWhatItIsFor(JavaClasses classes) {
        List<String> unmarked =
                packages(classes)
                        .filter(found -> !found.isAnnotatedWith(NullMarked.class))
                        .map(JavaPackage::getName)
                        .toList();
        assertThat(packages(classes)).hasSizeGreaterThanOrEqualTo(4);
        assertThat(unmarked).as("packages without a @NullMarked package-info").isEmpty();
    }

    @ArchTest
    static void packagesAreNamedByDomain(JavaClasses classes) {
        Set<String> vague = Set.of("util", "utils", "common", "impl", "helper", "helpers", "misc");
        assertThat(packages(classes).map(JavaPackage::getRelativeName))
                .doesNotContainAnyElementsOf(vague);
    }

    private static Stream<JavaPackage> packages(JavaClasses classes) {
        return classes.getPackage("io.fairlora.vision").getSubpackagesInTree().stream()
                .filter(found -> !found.getClasses().isEmpty());
    }
}
