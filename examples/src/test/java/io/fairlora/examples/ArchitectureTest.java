package io.fairlora.examples;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

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

/** The directions of the modules, {@code metrics <- core <- vision <- examples}. */
@AnalyzeClasses(packages = "io.fairlora", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    private static final String METRICS = "io.fairlora.metrics..";
    private static final String REPORT = "io.fairlora.report..";
    private static final String VISION = "io.fairlora.vision..";
    private static final String EXAMPLES = "io.fairlora.examples..";

    @ArchTest
    static final ArchRule metricsKnowNothingElse =
            classes()
                    .that()
                    .resideInAPackage(METRICS)
                    .should()
                    .onlyDependOnClassesThat(
                            resideInAPackage(METRICS).or(resideOutsideOfPackages("io.fairlora..")));

    @ArchTest
    static final ArchRule reportKnowsMetricsAlone =
            classes()
                    .that()
                    .resideInAPackage(REPORT)
                    .should()
                    .onlyDependOnClassesThat(
                            resideInAnyPackage(REPORT, METRICS)
                                    .or(resideOutsideOfPackages("io.fairlora..")));

    @ArchTest
    static final ArchRule coreKnowsMetricsAlone =
            noClasses()
                    .that(resideOutsideOfPackages(METRICS, REPORT, VISION, EXAMPLES))
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(REPORT, VISION, EXAMPLES);

    @ArchTest
    static final ArchRule visionKnowsCoreAndMetricsAlone =
            noClasses()
                    .that()
                    .resideInAPackage(VISION)
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(REPORT, EXAMPLES);

    @ArchTest
    static final ArchRule examplesUseThePublicDoor =
            noClasses()
                    .that()
                    .resideInAPackage(EXAMPLES)
                    .should()
                    .dependOnClassesThat()
                    .resideInAPackage("ai.djl.pytorch..");

    @ArchTest
    static void allModulesAreLookedAt(JavaClasses classes) {
        assertThat(packages(classes).map(JavaPackage::getName))
                .contains(
                        "io.fairlora",
                        "io.fairlora.metrics",
                        "io.fairlora.party",
                        "io.fairlora.report",
                        "io.fairlora.vision.vit",
                        "io.fairlora.examples");
    }

    @ArchTest
    static void everyPackageSaysWhatItIsFor(JavaClasses classes) {
        List<String> unmarked =
                packages(classes)
                        .filter(found -> !found.isAnnotatedWith(NullMarked.class))
                        .map(JavaPackage::getName)
                        .toList();
        assertThat(unmarked).as("packages without a @NullMarked package-info").isEmpty();
    }

    @ArchTest
    static void packagesAreNamedByDomain(JavaClasses classes) {
        Set<String> vague = Set.of("util", "utils", "common", "impl", "helper", "helpers", "misc");
        assertThat(packages(classes).map(JavaPackage::getRelativeName))
                .doesNotContainAnyElementsOf(vague);
    }

    private static Stream<JavaPackage> packages(JavaClasses classes) {
        JavaPackage root = classes.getPackage("io.fairlora");
        return Stream.concat(Stream.of(root), root.getSubpackagesInTree().stream())
                // Compiled from templates, which have no package-info.
                .filter(found -> !found.getName().equals("io.fairlora.report.template"))
                .filter(found -> !found.getClasses().isEmpty());
    }
}
