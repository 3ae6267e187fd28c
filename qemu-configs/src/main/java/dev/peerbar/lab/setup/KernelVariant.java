package dev.peerbar.lab.setup;

import dev.peerbar.lab.files.LabResources;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A kernel that differs from others of the same source by its configuration.
 *
 * @param name as the user wrote it: fragments with a plus between them, or {@link #PLAIN}; empty if
 *     there was nothing to choose
 * @param fragments names of those that are merged into {@code kernel/p2p.config}, in order
 */
public record KernelVariant(String name, List<String> fragments) {
  /** The one without fragments. */
  public static final String PLAIN = "default";

  private static final String PLUS = "+";

  /** The only one of a run that does not choose. */
  public static final KernelVariant ONLY = new KernelVariant("", List.of());

  public KernelVariant {
    fragments = List.copyOf(fragments);
  }

  /**
   * One by its name, such as {@code debug+no-p2pdma}.
   *
   * @throws IllegalArgumentException with a sentence if a fragment is not there
   */
  public static KernelVariant parse(String name) throws IOException {
    if (name.equals(PLAIN)) {
      return new KernelVariant(name, List.of());
    }
    List<String> there = fragmentNames();
    List<String> fragments = List.of(name.split("\\" + PLUS, -1));
    for (String fragment : fragments) {
      if (!there.contains(fragment)) {
        throw new IllegalArgumentException(
            "There is no kernel configuration '%s'; there are %s, and several at once with a plus between them"
                .formatted(fragment, String.join(", ", names())));
      }
    }
    return new KernelVariant(name, fragments);
  }

  /** The plain one, and those of one fragment each. */
  public static List<String> names() throws IOException {
    return Stream.concat(Stream.of(PLAIN), fragmentNames().stream()).toList();
  }

  private static List<String> fragmentNames() throws IOException {
    return LabResources.names(Fragment.DIRECTORY, Fragment.ENDING).stream()
        .filter(name -> !name.equals(Fragment.BASE))
        .toList();
  }

  /** What it is made of, the base first. */
  List<Fragment> files() throws IOException {
    List<Fragment> files = new ArrayList<>(List.of(Fragment.named(Fragment.BASE)));
    for (String fragment : fragments) {
      files.add(Fragment.named(fragment));
    }
    return files;
  }

  @Override
  public String toString() {
    return name.isEmpty() ? PLAIN : name;
  }
}
