package dev.peerbar.lab;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The rooms of the lab and of scenarios are entered one way, and none speaks vfio-user. */
@AnalyzeClasses(packages = "dev.peerbar", importOptions = ImportOption.DoNotIncludeTests.class)
final class LabBoundariesTest {

  @ArchTest
  static final ArchRule noCircles =
      slices().matching("dev.peerbar.lab.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule scenariosStandAlone =
      slices()
          .matching(
              "dev.peerbar.scenario.(bar|dmabuf|fault|flr|iommufd|life|nvme|p2p|p2pmem|stock|topology|type1|zone)..")
          .should()
          .notDependOnEachOther();

  @ArchTest
  static final ArchRule theLabKnowsNoScenario =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.lab..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.peerbar.scenario..");

  @ArchTest
  static final ArchRule theGuestKnowsNoEndpoint =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.lab.guest..", "dev.peerbar.lab.uapi..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.devices..", "dev.peerbar.server..");

  @ArchTest
  static final ArchRule nobodyHereKnowsTheWire =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.lab..", "dev.peerbar.scenario..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.protocol..", "io.netty..");
}
