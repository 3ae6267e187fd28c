package dev.peerbar.lab;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The lab's rooms are entered one way, and none of them speaks vfio-user. */
@AnalyzeClasses(packages = "dev.peerbar", importOptions = ImportOption.DoNotIncludeTests.class)
final class LabBoundariesTest {

  @ArchTest
  static final ArchRule noCircles =
      slices().matching("dev.peerbar.lab.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule scenariosStandAlone =
      slices()
          .matching("dev.peerbar.scenario.(bar|flr|iommufd|life|nvme|p2p|p2pmem|stock)..")
          .should()
          .notDependOnEachOther();

  @ArchTest
  static final ArchRule theLabKnowsNoScenario =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.lab..")
          .and()
          .resideOutsideOfPackage("dev.peerbar.lab.scenario..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.scenario..", "dev.peerbar.lab.scenario..");

  @ArchTest
  static final ArchRule theGuestKnowsNoEndpoint =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.lab.guest..", "dev.peerbar.lab.uapi..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.devices..", "dev.peerbar.server..");

  @ArchTest
  static final ArchRule theLabKnowsNoWire =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.lab..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.protocol..", "io.netty..");
}
