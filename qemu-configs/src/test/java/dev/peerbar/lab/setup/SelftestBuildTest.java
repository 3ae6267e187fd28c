package dev.peerbar.lab.setup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A source that has no more than what its makefiles need to look like a kernel's. */
class SelftestBuildTest {
  private static final String TESTS = "tools/testing/selftests/vfio";

  @TempDir private Path directory;
  private Path tree;

  @BeforeEach
  void makeTree() throws Exception {
    assumeThat(SetupProgram.exists("make")).as("make").isTrue();
    tree = Files.createDirectories(directory.resolve("linux"));
    Files.createDirectories(tree.resolve(TESTS));
    Files.writeString(
        tree.resolve("Makefile"),
        """
        headers:
        \tmkdir -p $(O)/usr/include
        \techo made > $(O)/usr/include/vfio.h
        """);
    tests("a_test", "b_test");
  }

  private void tests(String... names) throws Exception {
    Files.writeString(
        tree.resolve(TESTS).resolve("Makefile"),
        """
        PROGRAMS = %s
        all: $(addprefix $(OUTPUT)/,$(PROGRAMS)) $(OUTPUT)/run.sh
        $(OUTPUT)/%%:
        \techo '$(KHDR_INCLUDES)' $(LDFLAGS) > $@
        \tchmod 755 $@
        \ttouch $@.o
        """
            .formatted(String.join(" ", names)));
  }

  private List<Path> build() throws Exception {
    return new SelftestBuild(tree, directory.resolve("objects"))
        .build("the suite", new SetupOutput(new PrintStream(new ByteArrayOutputStream()), false));
  }

  private static List<String> names(List<Path> programs) {
    return programs.stream().map(program -> program.getFileName().toString()).toList();
  }

  @Test
  void programsAreBuiltBesideTheirSource() throws Exception {
    List<Path> programs = build();
    assertThat(names(programs)).containsExactly("a_test", "b_test");
    assertThat(programs.getFirst())
        .hasContent("-isystem %s/usr/include -static\n".formatted(directory.resolve("objects")));
    try (Stream<Path> sources = Files.walk(tree)) {
      assertThat(sources.filter(Files::isRegularFile)).hasSize(2);
    }
  }

  @Test
  void whatTheSourceHasNoMoreIsNotRun() throws Exception {
    build();
    tests("b_test", "c_test");
    assertThat(names(build())).containsExactly("b_test", "c_test");
  }

  @Test
  void otherProgramsHaveAnotherStamp() throws Exception {
    String stamp = SelftestBuild.stamp(build());
    assertThat(SelftestBuild.stamp(build())).isEqualTo(stamp);
    tests("a_test");
    assertThat(SelftestBuild.stamp(build())).isNotEqualTo(stamp);
  }

  @Test
  void anErrorIsTheKernels() throws Exception {
    Files.writeString(
        tree.resolve(TESTS).resolve("Makefile"),
        """
        all:
        \t@echo "vfio_test.c:3:1: error: expected identifier"
        \t@exit 1
        """);
    assertThatThrownBy(this::build)
        .isInstanceOf(KernelUnfitException.class)
        .hasMessageStartingWith(
            "the suite does not build: vfio_test.c:3:1: error: expected identifier (all of it is in ");
  }

  @Test
  void anOlderSourceHasNone() throws Exception {
    Files.delete(tree.resolve(TESTS).resolve("Makefile"));
    assertThatThrownBy(this::build)
        .isInstanceOf(KernelUnfitException.class)
        .hasMessageStartingWith("the suite cannot be built: ")
        .hasMessageContaining("vfio is not there, as it is since Linux 6.18");
  }
}
