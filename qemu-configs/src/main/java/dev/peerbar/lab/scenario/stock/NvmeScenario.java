package dev.peerbar.lab.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unlessQuiet;

import dev.peerbar.lab.boot.Lab;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.scenario.Scenario;
import dev.peerbar.lab.scenario.Step;
import dev.peerbar.lab.scenario.stock.NvmeController.Port;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * NVMe endpoints with a Controller Memory Buffer under the guest's own driver: two that this
 * process serves, and QEMU's own for a peer and for comparison.
 */
public final class NvmeScenario implements Scenario {
  private final NvmeSetting setting;
  private final Path directory;
  private final List<NvmeController> controllers;

  private NvmeScenario(NvmeSetting setting, Path directory, List<NvmeController> controllers) {
    this.setting = setting;
    this.directory = directory;
    this.controllers = controllers;
  }

  /**
   * Serves the endpoints and boots the guest.
   *
   * @param machine of the boot, without disks
   * @param logs where QEMU's and the guest's logs go
   */
  public static NvmeScenario start(LabFiles files, NvmeBoot boot, VirtualMachine machine, Path logs)
      throws IOException {
    Path directory = Files.createTempDirectory("peerbar-");
    List<NvmeController> controllers = new ArrayList<>();
    try {
      controllers.add(underTest(Port.A, directory));
      controllers.add(underTest(Port.B, directory));
      controllers.add(new QemuController(Port.C, image(Port.C, directory)));
      VirtualMachine whole = machine;
      for (NvmeController controller : controllers) {
        whole = controller.attachTo(whole);
      }
      Lab lab = Lab.boot(files, whole, logs);
      return new NvmeScenario(
          new NvmeSetting(lab, boot, controllers.get(0), controllers.get(1), controllers.get(2)),
          directory,
          controllers);
    } catch (IOException | RuntimeException e) {
      end(controllers, directory);
      throw e;
    }
  }

  private static NvmeController underTest(Port port, Path directory) throws IOException {
    return ServedController.start(port, image(port, directory), directory);
  }

  private static Path image(Port port, Path directory) throws IOException {
    Path image = directory.resolve(imageName(port));
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(NvmeController.SIZE);
    }
    return image;
  }

  private static void end(List<NvmeController> controllers, Path directory) throws IOException {
    for (NvmeController controller : controllers.reversed()) {
      controller.close();
    }
    for (Port port : Port.values()) {
      Files.deleteIfExists(directory.resolve(imageName(port)));
    }
    Files.deleteIfExists(directory);
  }

  private static String imageName(Port port) {
    return port.letter() + ".img";
  }

  @Override
  public Lab lab() {
    return setting.lab();
  }

  @Override
  public List<Step> steps() {
    NvmeBasicSteps driver = new NvmeBasicSteps(setting);
    NvmeDataSteps data = new NvmeDataSteps(setting);
    NvmePeerSteps peer = new NvmePeerSteps(setting);
    List<Step> steps = new ArrayList<>();
    steps.add(driver.bind());
    switch (setting.boot()) {
      case ONE_SWITCH -> {
        steps.addAll(driver.commands());
        steps.addAll(data.steps());
        steps.addAll(peer.steps());
        steps.addAll(new NvmeEndingSteps(setting, peer).steps());
        steps.add(new NvmeSpeed(setting).glance());
      }
      case SPEED -> steps.add(new NvmeSpeed(setting).measurement());
      case PIN_INTERRUPTS -> steps.add(data.verifyOneByOne());
      case TWO_ROOT_PORTS, REFUSING_BRIDGE -> steps.addAll(peer.steps());
    }
    List<Step> quiet = new ArrayList<>(steps.stream().map(this::quietly).toList());
    quiet.add(
        new Step(
            "z",
            "turn the guest off",
            "after this step as after every other: no error, WARN or BUG in the guest's kernel log"
                + " or from QEMU",
            this::powerOff));
    return List.copyOf(quiet);
  }

  /** A step after which the guest's kernel and QEMU have nothing to complain about. */
  private Step quietly(Step step) {
    return new Step(
        step.id(),
        step.title(),
        step.expected(),
        () -> {
          String seen = step.action().perform();
          unlessQuiet(setting.lab().complaints());
          return seen;
        });
  }

  private String powerOff() throws Exception {
    unlessQuiet(setting.lab().powerOff());
    return "both quiet";
  }

  @Override
  public void close() throws IOException {
    try {
      setting.lab().close();
    } finally {
      end(controllers, directory);
    }
  }
}
