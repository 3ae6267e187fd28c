package dev.peerbar.probe;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a register says.
 *
 * @param name as lspci calls it
 * @param text in lspci's words: lines, the first without what comes before it
 * @param fields the same by name, in order: booleans, numbers and words
 */
record Register(String name, String text, Map<String, Object> fields) {

  Register {
    fields = Collections.unmodifiableMap(new LinkedHashMap<>(fields));
  }

  /** Words without fields. */
  static Register ofWords(String words) {
    return new Register("", words, Map.of());
  }

  /**
   * A bit with a name.
   *
   * @param mask the bit
   */
  record Flag(String name, int mask) {}

  /** Writes text and fields of a register side by side. */
  static final class Writer {
    private final String name;
    private final StringBuilder text;
    private final Map<String, Object> fields = new LinkedHashMap<>();
    private final int bits;

    /**
     * @param heading what the text begins with
     * @param bits the register
     */
    Writer(String name, String heading, int bits) {
      this.name = name;
      this.text = new StringBuilder(heading);
      this.bits = bits;
    }

    /** Words that are no field. */
    Writer say(String words) {
      text.append(words);
      return this;
    }

    /** A word for itself, set apart by a blank. */
    Writer also(String word) {
      if (!text.isEmpty() && !Character.isWhitespace(text.charAt(text.length() - 1))) {
        text.append(' ');
      }
      return say(word);
    }

    /** The bits' names, each with + or -. */
    Writer flags(Flag... flags) {
      for (Flag flag : flags) {
        boolean set = (bits & flag.mask()) != 0;
        also(flag.name()).say(set ? "+" : "-");
        fields.put(flag.name(), set);
      }
      return this;
    }

    /** A bit that the text has under another name, right after what was said. */
    Writer flag(String field, String words, int mask) {
      boolean set = (bits & mask) != 0;
      fields.put(field, set);
      return say(words).say(set ? "+" : "-");
    }

    /** A field's value, right after what was said. */
    Writer value(String field, Object value) {
      fields.put(field, value);
      return say(value.toString());
    }

    /** A field that the text shows in its own way. */
    Writer value(String field, Object value, String shown) {
      fields.put(field, value);
      return say(shown);
    }

    Register end() {
      return new Register(name, text.toString(), fields);
    }
  }
}
