package dev.peerbar.lab.setup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.cpio.CpioArchiveEntry;
import org.apache.commons.compress.archivers.cpio.CpioArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SetupPartsTest {
  @TempDir Path directory;

  private static List<String> release(String id, String codename, String version) {
    return List.of("ID=" + id, "VERSION_CODENAME=" + codename, "VERSION_ID=\"" + version + "\"");
  }

  @Test
  void olderReleasesUseTheOldestSuiteThatWillDo() throws Exception {
    assertThat(Debian.parse(release("debian", "bookworm", "12")))
        .isEqualTo(new Debian("bookworm", List.of("trixie", "trixie-backports")));
    assertThat(Debian.parse(release("debian", "trixie", "13")).suites())
        .containsExactly("trixie", "trixie-backports");
  }

  @Test
  void newerReleasesUseTheirOwnSuite() throws Exception {
    assertThat(Debian.parse(release("debian", "forky", "14")).suites()).containsExactly("forky");
    assertThat(Debian.parse(List.of("ID=debian", "VERSION_CODENAME=sid")).suites())
        .containsExactly("sid");
  }

  @Test
  void anotherDistributionIsToldWhatToDo() {
    assertThatThrownBy(() -> Debian.parse(release("fedora", "x", "42")))
        .isInstanceOf(SetupException.class)
        .hasMessageContaining("--qemu=PATH");
  }

  @Test
  void theMirrorIsThatOfTheMachinesOwnRelease() {
    List<String> targets =
        List.of("http://mirror/security/ bookworm-security", "http://mirror/debian/ bookworm");
    assertThat(PackageSource.mirror(targets, "bookworm")).contains("http://mirror/debian/");
    assertThat(PackageSource.mirror(targets, "trixie")).isEmpty();
  }

  @Test
  void theNewestKernelSourceIsNewestByNumber() {
    assertThat(
            PackageSource.newestKernelSource(
                List.of(
                    "linux-source-6.12", "linux-source-7.9", "linux-source-7.10", "linux-source")))
        .contains("linux-source-7.10");
    assertThat(PackageSource.newestKernelSource(List.of("linux-source"))).isEmpty();
  }

  @Test
  void progressIsReadFromAptAndMake() {
    assertThat(PackageSource.perMille("dlstatus:1:12.3456:Retrieving file 7 of 83")).contains(123L);
    assertThat(PackageSource.perMille("Get:7 http://mirror/debian x")).isEmpty();
    assertThat(KernelBuild.isObject("  CC      mm/memory.o")).isTrue();
    assertThat(KernelBuild.isObject("  LD      vmlinux.o")).isFalse();
  }

  @Test
  void withoutATerminalProgressIsAFewLines() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (SetupOutput.Progress progress =
        new SetupOutput(new PrintStream(out, true, StandardCharsets.UTF_8), false)
            .progress("building", "objects", 100)) {
      for (int i = 1; i <= 120; i++) {
        progress.at(i);
      }
    }
    assertThat(out.toString(StandardCharsets.UTF_8).lines())
        .hasSize(10)
        .startsWith("setup: building", "setup: building: 10%");
  }

  @Test
  void aProductAppearsWholeOrNotAtAll() throws Exception {
    Cache cache = new Cache(directory);
    assertThatThrownBy(() ->
            cache.make(
                "thing",
                d -> {
                  Files.writeString(d.resolve("half"), "half");
                  throw new SetupException("no more");
                }))
        .hasMessage("no more");
    assertThat(cache.find("thing")).isEmpty();
    Path made = cache.make("thing", d -> Files.writeString(d.resolve("whole"), "whole"));
    assertThat(made.resolve("whole")).hasContent("whole");
    assertThat(
            cache.make(
                "thing",
                d -> {
                  throw new SetupException("made twice");
                }))
        .isEqualTo(made);
    try (Stream<Path> left = Files.list(directory)) {
      assertThat(left).containsExactly(made);
    }
  }

  @Test
  void theNextSetUpRemovesWhatAnInterruptedOneLeft() throws Exception {
    Cache cache = new Cache(directory);
    Path left = cache.temporary("kernel");
    Files.writeString(left.resolve("object.o"), "x");
    List<String> waits = new ArrayList<>();
    try (Cache.Lock _ = cache.lock(() -> waits.add("waited"))) {
      assertThat(left).doesNotExist();
    }
    assertThat(waits).isEmpty();
  }

  @Test
  void aFailingCommandShowsItsLastLines() {
    assertThatThrownBy(
            () -> SetupProgram.in(directory, "sh", "-c", "echo first; echo why >&2; exit 3").run())
        .isInstanceOf(SetupException.class)
        .hasMessageContaining("status 3")
        .hasMessageContaining("why");
  }

  @Test
  void theInitramfsHasAnInitAndAShell() throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Initramfs.write(out, new byte[] {1, 2, 3}, new byte[] {4, 5});
    List<String> names = new ArrayList<>();
    try (CpioArchiveInputStream cpio =
        new CpioArchiveInputStream(new ByteArrayInputStream(out.toByteArray()))) {
      for (CpioArchiveEntry e = cpio.getNextEntry(); e != null; e = cpio.getNextEntry()) {
        names.add(e.getName());
        if (e.getName().equals("init")) {
          assertThat(e.getMode()).isEqualTo(0100755);
          assertThat(cpio.readAllBytes()).containsExactly(1, 2, 3);
        }
        if (e.getName().equals("bin/sh")) {
          assertThat(e.isSymbolicLink()).isTrue();
        }
      }
    }
    assertThat(names)
        .contains(
            "init", "bin", "bin/busybox", "bin/sh", "dev", "lib64", "proc", "sys", "tmp", "usr");
  }
}
