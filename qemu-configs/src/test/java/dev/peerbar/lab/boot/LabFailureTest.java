package dev.peerbar.lab.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.peerbar.cli.Main;
import dev.peerbar.lab.files.LabFiles;
import dev.peerbar.lab.files.LabResources;
import dev.peerbar.lab.files.QemuBinary;
import dev.peerbar.lab.kernel.BzImage;
import dev.peerbar.lab.kernel.MadeModule;
import dev.peerbar.lab.qemu.QemuEndedException;
import dev.peerbar.lab.qemu.Topology;
import dev.peerbar.lab.qemu.VirtualMachine;
import dev.peerbar.lab.setup.Setup;
import dev.peerbar.lab.setup.SetupOutput;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** A QEMU that ends before the guest is up: whoever started it reads why, and what to do. */
@Timeout(600)
@Tag("guest")
class LabFailureTest {
  private static LabFiles files;

  @TempDir Path directory;
  private Path logs;

  @BeforeAll
  static void setUp() throws Exception {
    files = Setup.ofUser(SetupOutput.toStandardError()).run();
  }

  @BeforeEach
  void makeLogs() {
    logs = directory.resolve("logs");
  }

  private static VirtualMachine machine() throws IOException {
    return VirtualMachine.of(Topology.named("one-switch"));
  }

  private static LabFiles with(Path kernel, Path initramfs) {
    return new LabFiles(files.qemu(), kernel, initramfs, files.userland());
  }

  private void ends(LabFiles started, VirtualMachine machine, String... words) {
    assertThatThrownBy(() -> Lab.boot(started, machine, logs).close())
        .isInstanceOf(QemuEndedException.class)
        .hasMessageStartingWith("QEMU ended with status ")
        .hasMessageContainingAll(words);
  }

  private Path file(String name, String content) throws Exception {
    return Files.writeString(directory.resolve(name), content);
  }

  private Path program(String content) throws Exception {
    Path file = file("qemu", "#!/bin/sh\n" + content + "\n");
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 100, 100_000})
  void aKernelThatIsNone(int size) throws Exception {
    Path kernel = file("kernel", "x".repeat(size));
    ends(
        with(kernel, files.initramfs()),
        machine(),
        "status 1 ",
        size == 0 ? kernel.toString() : "kernel");
  }

  @Test
  void aFileThatIsNotThere() throws Exception {
    Path nowhere = directory.resolve("nowhere");
    ends(with(nowhere, files.initramfs()), machine(), nowhere.toString());
    ends(with(files.kernel(), nowhere), machine(), nowhere.toString());
  }

  @Test
  void anOptionThatItDoesNotKnow() throws Exception {
    ends(files, machine().withArguments("--no-such-option"), "no-such-option: invalid option");
  }

  @Test
  void aDeviceThatItDoesNotHave() throws Exception {
    ends(
        files,
        machine().withArguments("-device", "no-such-device"),
        "'no-such-device' is not a valid device model name");
  }

  @Test
  void aServerThatIsNotThere() throws Exception {
    ends(files, machine().withEndpoint("a", directory.resolve("none.sock")), "none.sock");
  }

  @Test
  void aKernelThatGivesUp() throws Exception {
    Path initramfs = file("initramfs", "none");
    ends(with(files.kernel(), initramfs), machine(), "Kernel panic - not syncing: VFS");
  }

  @Test
  void aProgramThatSaysNothing() throws Exception {
    QemuBinary silent = new QemuBinary(List.of(program("exit 3").toString()), Map.of());
    ends(
        new LabFiles(silent, files.kernel(), files.initramfs(), files.userland()),
        machine(),
        "status 3 ",
        "console ends with: nothing");
  }

  @Test
  void aProgramWhoseLastLinesCount() throws Exception {
    Path program = program("seq 1 1000 >&2; echo 'it is so' >&2; exit 1");
    QemuBinary chatty = new QemuBinary(List.of(program.toString()), Map.of());
    ends(
        new LabFiles(chatty, files.kernel(), files.initramfs(), files.userland()),
        machine(),
        "up: 999; 1000; it is so");
  }

  /** A QEMU whose guest leaves some words on its console. */
  private LabFiles saying(String words, Path kernel) throws Exception {
    Path program = program("echo '" + words + "' > '" + logs.resolve("console.log") + "'; exit 0");
    QemuBinary qemu = new QemuBinary(List.of(program.toString()), Map.of());
    return new LabFiles(qemu, kernel, files.initramfs(), files.userland());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "peerbar agent: error: the guest has no virtio port x|CONFIG_VIRTIO_PCI or CONFIG_VIRTIO_CONSOLE",
        "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on x|CONFIG_BLK_DEV_INITRD or CONFIG_RD_GZIP",
        "[ 1.0] Kernel panic - not syncing: No working init found. x|CONFIG_BINFMT_ELF"
      })
  void aKernelOfWhichNothingIsKnownIsGuessedAt(String words, String options) throws Exception {
    Path kernel = file("kernel", "nothing to be read in it");
    ends(
        saying(words, kernel),
        machine(),
        "console ends with: "
            + words
            + "; the kernel, of which no configuration was found, may lack "
            + options);
    // One whose configuration has it all lacks something else.
    assertThatThrownBy(() -> Lab.boot(saying(words, files.kernel()), machine(), logs))
        .hasMessageEndingWith("console ends with: " + words);
  }

  @Test
  void aKernelThatNoGuestComesUpWithoutIsNotStarted() throws Exception {
    Path kernel = kernelWithout("VIRTIO_CONSOLE");
    assertThatThrownBy(() -> Lab.boot(with(kernel, files.initramfs()), machine(), logs))
        .isInstanceOf(KernelLacksException.class)
        .hasMessage(
            "the kernel lacks CONFIG_VIRTIO_CONSOLE (by %s)"
                .formatted(directory.resolve("config")));
    assertThat(logs).doesNotExist();
  }

  /** A file that says of itself what it has not got, for want of an image that could be run. */
  private Path kernelWithout(String... options) throws Exception {
    String config = LabResources.text("kernel/p2p.config");
    for (String option : options) {
      config = config.replace("\nCONFIG_" + option + "=y\n", "\n");
    }
    file("config", config);
    return Files.write(directory.resolve("bzImage"), BzImage.of("7.3.4", new byte[0]));
  }

  // What the command line says, and what its status is.

  private static final int STEP_FAILED = 1;
  private static final int UNUSABLE = 128;

  private String lab(String... options) {
    return lab(STEP_FAILED, options);
  }

  private String lab(int status, String... options) {
    StringWriter said = new StringWriter();
    CommandLine commandLine = Main.commandLine().setErr(new PrintWriter(said, true));
    String[] words = new String[options.length + 2];
    words[0] = "lab";
    words[1] = "--keep-logs=" + logs;
    System.arraycopy(options, 0, words, 2, options.length);
    assertThat(commandLine.execute(words)).isEqualTo(status);
    assertThat(said.toString().lines()).as("one sentence").hasSize(1);
    return said.toString().strip();
  }

  @Test
  void theCommandSaysWhatAKernelHasToBe() throws Exception {
    Path kernel = file("kernel", "x".repeat(100));
    assertThat(lab("--kernel=" + kernel))
        .startsWith("peerbar: QEMU ended with status 1 before the guest was up: qemu: ")
        .contains(". --kernel takes an x86-64 bzImage with what ", "not " + kernel)
        .endsWith("; the logs are in " + logs);
  }

  @Test
  void theCommandSaysWhatAQemuHasToBe() throws Exception {
    Path qemu =
        program(
            "case \"$*\" in *help*) echo 'name \"vfio-user-pci\"';;"
                + " *) echo 'qemu: no' >&2; exit 1;; esac");
    assertThat(lab("--qemu=" + qemu))
        .contains("before the guest was up: qemu: no. --qemu takes an x86-64 QEMU 10.1 or later");
  }

  @Test
  void theCommandNamesWhatAKernelLacksForALab() throws Exception {
    Path kernel = kernelWithout("IOMMUFD", "PCI_P2PDMA", "BLK_DEV_NVME");
    assertThat(lab("p2p", "--kernel=" + kernel))
        .isEqualTo(
            "peerbar: no p2p on one-switch: the kernel lacks CONFIG_PCI_P2PDMA and CONFIG_IOMMUFD"
                + " (by %s)".formatted(directory.resolve("config")));
    // A shell is given by any kernel that comes up, which this one does not.
    assertThat(lab("--shell", "--kernel=" + kernel))
        .startsWith("peerbar: QEMU ended with status 1 ");
    assertThat(lab("--shell", "--kernel=" + kernelWithout("TTY", "BINFMT_ELF")))
        .startsWith("peerbar: the kernel lacks CONFIG_TTY and CONFIG_BINFMT_ELF (by ");
  }

  @Test
  void theCommandSaysWhatModulesHaveToBe() throws Exception {
    String kernel = "--kernel=" + kernelWithout();
    assertThat(lab(UNUSABLE, kernel, "--modules=" + directory.resolve("nowhere")))
        .isEqualTo("peerbar: The modules %s/nowhere are no directory.".formatted(directory));
    assertThat(lab(UNUSABLE, kernel, "--modules=" + directory))
        .contains(" has no kernel modules, as lib/");
    MadeModule.write(directory.resolve("6.1/kernel/vfio.ko"), "vermagic=6.1 SMP ");
    assertThat(lab(UNUSABLE, kernel, "--modules=" + directory))
        .contains("are of the kernel 6.1, and ", "bzImage is 7.3.4.");
  }

  @Test
  void theCommandSaysWhatCannotBeRunOrRead() throws Exception {
    Path nowhere = directory.resolve("nowhere");
    assertThat(lab(UNUSABLE, "--qemu=" + nowhere))
        .startsWith("peerbar: The QEMU " + nowhere + " cannot be run: ")
        .contains("No such file or directory");
    assertThat(lab(UNUSABLE, "--qemu=" + file("no-program", "")))
        .contains(" cannot be run: ", "Permission denied");
    assertThat(lab(UNUSABLE, "--kernel=" + nowhere))
        .contains("kernel " + nowhere + " cannot be read");
    assertThat(lab(UNUSABLE, "--kernel=" + directory))
        .contains("kernel " + directory + " cannot be read");
  }
}
