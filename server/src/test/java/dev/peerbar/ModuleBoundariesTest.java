package dev.peerbar;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Imports go one way: protocol and devices know nothing of each other, server joins them. */
@AnalyzeClasses(packages = "dev.peerbar", importOptions = ImportOption.DoNotIncludeTests.class)
final class ModuleBoundariesTest {
  private static final String[] DEVICES = {
    "dev.peerbar.pci..",
    "dev.peerbar.endpoint..",
    "dev.peerbar.engine..",
    "dev.peerbar.devices..",
    "dev.peerbar.virtio..",
    "dev.peerbar.storage..",
    "dev.peerbar.driver",
    "dev.peerbar.driver.hbm..",
    "dev.peerbar.driver.nvme..",
    "dev.peerbar.driver.virtio..",
    "dev.peerbar.driver.fake.."
  };

  @ArchTest
  static final ArchRule enginesKnowNoDevice =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.engine..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.devices..", "dev.peerbar.virtio..", "dev.peerbar.storage..");

  @ArchTest
  static final ArchRule devicesKnowNoWire =
      noClasses()
          .that()
          .resideInAnyPackage(DEVICES)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.protocol..",
              "dev.peerbar.linux..",
              "dev.peerbar.server..",
              "dev.peerbar.cli..",
              "dev.peerbar.driver.socket..",
              "dev.peerbar.probe..",
              "io.netty..",
              "java.net..",
              "java.nio.channels..",
              "picocli..",
              "com.fasterxml..");

  @ArchTest
  static final ArchRule protocolKnowsNoDevice =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.protocol..", "dev.peerbar.linux..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.pci..",
              "dev.peerbar.endpoint..",
              "dev.peerbar.engine..",
              "dev.peerbar.devices..",
              "dev.peerbar.virtio..",
              "dev.peerbar.storage..",
              "dev.peerbar.driver..",
              "dev.peerbar.server..",
              "dev.peerbar.cli..",
              "dev.peerbar.probe..");

  @ArchTest
  static final ArchRule linuxKnowsNobody =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.linux..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.protocol..", "io.netty..");

  @ArchTest
  static final ArchRule serverKnowsNoDeviceByName =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.server..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.devices..",
              "dev.peerbar.virtio..",
              "dev.peerbar.driver..",
              "dev.peerbar.cli..",
              "dev.peerbar.probe..");

  @ArchTest
  static final ArchRule endpointsKnowNoDriver =
      noClasses()
          .that()
          .resideInAnyPackage(
              "dev.peerbar.pci..",
              "dev.peerbar.endpoint..",
              "dev.peerbar.engine..",
              "dev.peerbar.devices..",
              "dev.peerbar.virtio..",
              "dev.peerbar.storage..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.peerbar.driver..");

  /** A driver has a function, and not what is behind it. */
  @ArchTest
  static final ArchRule driversKnowNoEndpoint =
      noClasses()
          .that()
          .resideInAnyPackage(
              "dev.peerbar.driver",
              "dev.peerbar.driver.hbm..",
              "dev.peerbar.driver.nvme..",
              "dev.peerbar.driver.virtio..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.endpoint..",
              "dev.peerbar.engine..",
              "dev.peerbar.storage..",
              "dev.peerbar.driver.fake..");

  @ArchTest
  static final ArchRule theWireToAFunctionKnowsNeitherServerNorDevice =
      noClasses()
          .that()
          .resideInAPackage("dev.peerbar.driver.socket..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "dev.peerbar.server..",
              "dev.peerbar.cli..",
              "dev.peerbar.probe..",
              "dev.peerbar.endpoint..",
              "dev.peerbar.engine..",
              "dev.peerbar.devices..",
              "dev.peerbar.virtio..",
              "dev.peerbar.driver.hbm..",
              "dev.peerbar.driver.nvme..",
              "dev.peerbar.driver.virtio..",
              "dev.peerbar.driver.fake..",
              "io.netty..");

  /** Types of endpoints are found; a rehearsal has its clients use what they find. */
  @ArchTest
  static final ArchRule commandsKnowNoDeviceByName =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.cli", "dev.peerbar.probe..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.peerbar.devices..");

  @ArchTest
  static final ArchRule functionsKnowNoSocket =
      noClasses()
          .that()
          .resideInAnyPackage("dev.peerbar.server.function..", "dev.peerbar.server.dma..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.peerbar.protocol..", "io.netty..");

  @ArchTest
  static final ArchRule noCyclesWithinTheServer =
      slices().matching("dev.peerbar.server.(*)..").should().beFreeOfCycles();
}
