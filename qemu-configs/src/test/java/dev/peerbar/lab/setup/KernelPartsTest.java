package dev.peerbar.lab.setup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What kernels for users are made of, without building one. */
class KernelPartsTest {
  private static final FileTime LONG_AGO = FileTime.from(Instant.parse("2020-01-01T00:00:00Z"));

  @TempDir private Path directory;
  private Path origin;
  private Path copy;

  @BeforeEach
  void makeOrigin() throws Exception {
    origin = Files.createDirectories(directory.resolve("origin"));
    copy = directory.resolve("copy");
    write("drivers/a.c", numbers(40));
    write("drivers/b.c", numbers(40));
  }

  private static String numbers(int last) {
    return IntStream.rangeClosed(1, last).mapToObj(i -> i + "\n").collect(Collectors.joining());
  }

  private void write(String name, String text) throws Exception {
    Path file = origin.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
    Files.setLastModifiedTime(file, LONG_AGO);
  }

  /** Changes line 20, and adds one behind line 40. */
  private static String diff(String file) {
    return """
    --- a/%1$s
    +++ b/%1$s
    @@ -18,5 +18,5 @@
     18
     19
    -20
    +twenty
     21
     22
    @@ -38,3 +38,4 @@
     38
     39
     40
    +41
    """
        .formatted(file);
  }

  private void apply(String text) throws Exception {
    assumeThat(SetupProgram.exists(Patching.PROGRAM)).isTrue();
    Patching.apply(new KernelPatch("my.patch", text), copy, directory);
  }

  private void renew(boolean links) throws Exception {
    new SourceCopy(origin, copy, links).renew();
  }

  @Test
  void aPatchChangesACopyAlone() throws Exception {
    for (boolean links : List.of(true, false)) {
      Cache.delete(copy);
      renew(links);
      apply(diff("drivers/a.c") + diff("drivers/b.c"));
      assertThat(copy.resolve("drivers/a.c")).content().contains("twenty\n", "40\n41\n");
      assertThat(origin.resolve("drivers/a.c")).hasContent(numbers(40));
    }
  }

  @Test
  void aCopyBecomesLikeItsOriginAgainAndIsNewWhereItChanged() throws Exception {
    for (boolean links : List.of(true, false)) {
      Cache.delete(copy);
      renew(links);
      apply(
          diff("drivers/a.c")
              + """
              --- /dev/null
              +++ b/drivers/new.c
              @@ -0,0 +1 @@
              +new
              """);
      Instant before = Instant.now().minusSeconds(1);
      renew(links);
      assertThat(copy.resolve("drivers/a.c")).hasContent(numbers(40));
      assertThat(copy.resolve("drivers/new.c")).doesNotExist();
      // An object of the patched file is older than this, and that is what make looks at.
      assertThat(Files.getLastModifiedTime(copy.resolve("drivers/a.c")).toInstant())
          .isAfter(before);
      assertThat(Files.getLastModifiedTime(copy.resolve("drivers/b.c"))).isEqualTo(LONG_AGO);
      assertThat(Files.getLastModifiedTime(origin.resolve("drivers/a.c"))).isEqualTo(LONG_AGO);
    }
  }

  @Test
  void aChangeOfTheOriginIsCopied() throws Exception {
    renew(false);
    write("drivers/a.c", "other\n");
    Files.delete(origin.resolve("drivers/b.c"));
    renew(false);
    assertThat(copy.resolve("drivers/a.c")).hasContent("other\n");
    assertThat(copy.resolve("drivers/b.c")).doesNotExist();
  }

  @Test
  void ofATreeThatGitKnowsNothingThatWasBuiltIsCopied() throws Exception {
    assumeThat(SetupProgram.exists("git")).isTrue();
    write(".gitignore", ".*\n*.o\n");
    write("drivers/a.o", "object");
    write(".config", "CONFIG_A=y\n");
    assertThat(SourceCopy.isBuiltIn(origin)).isTrue();
    SetupProgram.in(origin, "git", "init", "-q").run();
    SetupProgram.in(origin, "git", "add", "drivers/a.c").run();
    assertThat(SourceCopy.isGit(origin)).isTrue();
    renew(false);
    assertThat(SourceCopy.isBuiltIn(copy)).isFalse();
    assertThat(copy.resolve("drivers/a.o")).doesNotExist();
    assertThat(copy.resolve("drivers/a.c")).exists();
    // Not committed, and no less a source.
    assertThat(copy.resolve("drivers/b.c")).exists();
  }

  @Test
  void aTreeWithBuiltFilesAndWithoutGitIsRefused() throws Exception {
    write(".config", "CONFIG_A=y\n");
    KernelBuilds builds =
        new KernelBuilds(new Cache(directory.resolve("cache")), SetupOutput.toStandardError());
    assertThatThrownBy(() ->
            builds.make(
                new KernelRequest(Optional.of(origin), List.of(), List.of(KernelVariant.ONLY))))
        .isInstanceOf(SetupException.class)
        .isNotInstanceOf(KernelUnfitException.class)
        .hasMessageContaining("run make mrproper there");
  }

  @Test
  void whereAPatchDoesNotApplyIsSaid() throws Exception {
    write("drivers/b.c", numbers(39) + "forty\n");
    renew(false);
    assertThatThrownBy(() -> apply(diff("drivers/a.c") + diff("drivers/b.c")))
        .isInstanceOf(KernelUnfitException.class)
        .hasMessage("my.patch does not apply: hunk 2 of drivers/b.c, at line 38");
    renew(false);
    assertThatThrownBy(() -> apply(diff("drivers/c.c")))
        .hasMessage("my.patch does not apply: there is no file drivers/c.c");
    renew(false);
    apply(diff("drivers/a.c"));
    assertThatThrownBy(() -> apply(diff("drivers/a.c")))
        .hasMessage("my.patch does not apply: drivers/a.c has been changed so already");
    assertThatThrownBy(() -> apply("Hello,\n\nhere is my patch.\n"))
        .hasMessage("my.patch has no change in it, neither as a mail nor as a diff");
    assertThatThrownBy(
            () -> apply(diff("drivers/a.c").lines().limit(6).collect(Collectors.joining("\n"))))
        .hasMessageMatching("my.patch is damaged at its line \\d");
  }

  @Test
  void aFileThatIsThereIsNotMadeAgain() throws Exception {
    renew(false);
    assertThatThrownBy(() ->
            apply(
                """
                diff --git a/drivers/a.c b/drivers/a.c
                new file mode 100644
                index 0000000..1111111
                --- /dev/null
                +++ b/drivers/a.c
                @@ -0,0 +1 @@
                +new
                """))
        .hasMessage("my.patch does not apply: there is a file drivers/a.c already");
  }

  @Test
  void everyFragmentIsReadAndSomeWantWordsOnTheCommandLine() throws Exception {
    for (String name : KernelVariant.names()) {
      List<Fragment> files = KernelVariant.parse(name).files();
      assertThat(files.getFirst().name()).isEqualTo(Fragment.BASE);
      assertThat(files).allSatisfy(file -> assertThat(file.options()).isNotEmpty());
    }
    assertThat(Fragment.named("debug").commandLine()).startsWith("kasan_multi_shot");
    assertThat(Fragment.named("no-p2pdma").commandLine()).isEmpty();
    assertThat(KernelVariant.names())
        .contains("default", "debug", "no-p2pdma", "no-zone-device", "no-iommufd", "no-dmabuf")
        .doesNotContain(Fragment.BASE);
  }

  @Test
  void severalFragmentsAreMergedInOrder() throws Exception {
    assertThat(KernelVariant.parse("debug+no-p2pdma").files())
        .extracting(Fragment::name)
        .containsExactly("p2p", "debug", "no-p2pdma");
    assertThat(KernelVariant.parse("default").files()).hasSize(1);
  }

  @ParameterizedTest
  @CsvSource({"debug+", "+debug", "''", "p2p", "debug+default", "nothing"})
  void anotherNameIsNoKernel(String name) {
    assertThatThrownBy(() -> KernelVariant.parse(name))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("there are default, debug, ");
  }

  @Test
  void anOptionThatADependencyOverrodeIsSaid() {
    Fragment fragment = Fragment.parse("mine", "CONFIG_A=y\nCONFIG_B=n\nCONFIG_C=16\n");
    assertThat(fragment.unmet("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=16\n")).isEmpty();
    assertThat(fragment.unmet("CONFIG_A=y\nCONFIG_C=16\n")).isEmpty();
    assertThat(fragment.unmet("# CONFIG_A is not set\nCONFIG_C=16\n"))
        .isEqualTo("mine asks for CONFIG_A=y, and the configuration has it not");
    assertThat(fragment.unmet("CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=16\n"))
        .isEqualTo("mine asks for CONFIG_B=n, and the configuration has y");
    assertThat(fragment.unmet("CONFIG_A=y\nCONFIG_C=8\n"))
        .isEqualTo("mine asks for CONFIG_C=16, and the configuration has 8");
  }

  @Test
  void anImageHasTheNameOfAllThatItDependsOn() throws Exception {
    KernelPatch one = new KernelPatch("one", "1");
    KernelPatch two = new KernelPatch("two", "2");
    List<String> names =
        List.of(
            product("default", "7.3"),
            product("default", "7.4"),
            product("debug", "7.3"),
            product("debug+no-p2pdma", "7.3"),
            product("default", "7.3", one),
            product("default", "7.3", one, two),
            product("default", "7.3", two, one));
    assertThat(names).doesNotHaveDuplicates();
    assertThat(product("default", "7.3", new KernelPatch("renamed", "1"))).isEqualTo(names.get(4));
  }

  private static String product(String variant, String source, KernelPatch... patches)
      throws Exception {
    KernelVariant parsed = KernelVariant.parse(variant);
    return KernelBuilds.product(
        new KernelRequest(Optional.empty(), List.of(patches), List.of(parsed)), parsed, source);
  }

  @Test
  void whatWasNotUsedForLongestIsRemoved() throws Exception {
    Cache cache = new Cache(directory);
    for (int i = 0; i < 4; i++) {
      Path made = Files.createDirectory(directory.resolve("thing-" + i));
      Files.setLastModifiedTime(made, FileTime.fromMillis(1000L * i));
    }
    cache.keepNewest(directory.resolve("thing-0"), "thing-", 2);
    assertThat(cache.newest("thing-"))
        .extracting(path -> path.getFileName().toString())
        .containsExactly("thing-0", "thing-3");
  }

  @Test
  void whyMakeFailsIsFound() {
    assertThat(KernelMake.isError("drivers/a.c:12:3: error: expected ';' before 'x'")).isTrue();
    assertThat(KernelMake.isError("drivers/a.c:12:3: warning: unused variable 'x'")).isFalse();
    assertThat(KernelMake.isError("make[4]: *** [scripts/Makefile.build:1: a.o] Error 1")).isTrue();
    assertThat(KernelMake.isError("  CC      drivers/error.o")).isFalse();
  }
}
