package io.fairlora.metrics;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaCall;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses CLASSES =
            new ClassFileImporter()
                    .withImportOption(new ImportOption.DoNotIncludeTests())
                    .importPackages("io.fairlora.metrics");

    @Test
    void packagesDependInOneDirection() {
        layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("metrics")
                .definedBy("io.fairlora.metrics")
                .layer("interval")
                .definedBy("io.fairlora.metrics.interval")
                .layer("fairness")
                .definedBy("io.fairlora.metrics.fairness")
                .layer("report")
                .definedBy("io.fairlora.metrics.report")
                .layer("evaluator")
                .definedBy("io.fairlora.metrics.evaluator")
                .whereLayer("interval")
                .mayOnlyBeAccessedByLayers("fairness", "report")
                .whereLayer("fairness")
                .mayOnlyBeAccessedByLayers("report", "evaluator")
                .whereLayer("report")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("evaluator")
                .mayNotBeAccessedByAnyLayer()
                .check(CLASSES);
        slices().matching("io.fairlora.metrics.(*)..").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void onePlaceReadsFromDevices() {
        DescribedPredicate<JavaCall<?>> reads =
                DescribedPredicate.describe(
                        "read an array from its device",
                        call ->
                                call.getTargetOwner().isAssignableTo(NDArray.class)
                                        && call.getName().matches("to\\w*(Array|Buffer)|get\\w+")
                                        && !call.getName()
                                                .matches("get(Manager|Shape|Device|DataType)"));
        noClasses()
                .that()
                .haveNameNotMatching(".*\\.HostArrays(\\$.*)?")
                .should()
                .callMethodWhere(reads.forSubtype())
                .check(CLASSES);
    }

    @Test
    void noEngineIsNamed() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .resideInAPackage("ai.djl.pytorch..")
                .check(CLASSES);
    }
}
