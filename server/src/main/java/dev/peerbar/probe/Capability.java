package dev.peerbar.probe;

import java.util.List;
import java.util.OptionalInt;

/**
 * A capability of config space.
 *
 * @param offset where it is
 * @param id which it is
 * @param version of an extended one
 * @param name as lspci calls it; its number if it has no name
 * @param title what its first line says
 * @param registers what follows
 */
record Capability(
    int offset,
    int id,
    OptionalInt version,
    String name,
    Register title,
    List<Register> registers) {

  Capability {
    registers = List.copyOf(registers);
  }

  boolean extended() {
    return version.isPresent();
  }

  /** What a decoder makes of the bytes; the chain adds where they are. */
  record Decoded(String name, Register title, List<Register> registers) {

    Decoded(String name, Register title) {
      this(name, title, List.of());
    }

    /** One that is only named. */
    static Decoded named(String name) {
      return new Decoded(name, Register.ofWords(name));
    }

    /** One that has a name, and contents that are not decoded, which lspci marks so. */
    static Decoded undecoded(String name) {
      return new Decoded(name, Register.ofWords(name + " <?>"));
    }

    Capability at(int offset, int id, OptionalInt version) {
      return new Capability(offset, id, version, name, title, registers);
    }
  }
}
