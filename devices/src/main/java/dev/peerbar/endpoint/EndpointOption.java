package dev.peerbar.endpoint;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What can be chosen about an endpoint: {@code --NAME=VALUE} on the command line, {@code NAME:
 * VALUE} in a file.
 *
 * @param name lower-case words with - between them
 * @param label what help shows in place of a value, such as SIZE; empty for a flag
 * @param description for help: one or more whole sentences, without the default
 * @param type of the value: a {@link Path}, a {@link String}, an {@link Integer}, a {@link Boolean}
 *     that is true if the option stands there, or an enum; any other has a syntax
 * @param syntax reads a value as people write it, or throws {@link IllegalArgumentException} with a
 *     sentence; empty for the types that are read by themselves
 * @param preset what it is if nobody says otherwise
 * @param presetText the same as people write it; empty if there is none, or none to speak of
 * @param instead the option that this one cannot be given together with
 */
public record EndpointOption<T>(
    String name,
    String label,
    String description,
    Class<T> type,
    Optional<Function<String, T>> syntax,
    Optional<T> preset,
    Optional<String> presetText,
    Optional<EndpointOption<?>> instead) {

  private static final String NUMBER = "N";

  /** Something to switch on. */
  public static EndpointOption<Boolean> flag(String name, String description) {
    return new EndpointOption<>(
        name,
        "",
        description,
        Boolean.class,
        Optional.empty(),
        Optional.of(false),
        Optional.empty(),
        Optional.empty());
  }

  /** Something that is on or off, and is neither unless somebody says so. */
  public static EndpointOption<Boolean> onOff(String name, String description) {
    return of(name, "on|off", description, Boolean.class, EndpointOption::isOn);
  }

  /** A number. */
  public static EndpointOption<Integer> number(String name, String description) {
    return plain(name, NUMBER, description, Integer.class);
  }

  /** A number that is something if nobody says otherwise. */
  public static EndpointOption<Integer> number(String name, String description, int preset) {
    return number(name, description).withPreset(preset, String.valueOf(preset));
  }

  /** A number of bytes, written as 64K, 256M or 4G. */
  public static EndpointOption<Long> size(String name, String description) {
    return of(name, "SIZE", description, Long.class, ByteSize::parse);
  }

  /** A number of bytes that is something if nobody says otherwise. */
  public static EndpointOption<Long> size(String name, String description, long preset) {
    return size(name, description).withPreset(preset, ByteSize.format(preset));
  }

  /** One of the constants of an enum, written in lower or upper case. */
  public static <E extends Enum<E>> EndpointOption<E> choice(
      String name, String description, E preset) {
    Class<E> type = preset.getDeclaringClass();
    String label =
        Arrays.stream(type.getEnumConstants())
            .map(EndpointOption::lowerCase)
            .collect(Collectors.joining("|"));
    return plain(name, label, description, type).withPreset(preset, lowerCase(preset));
  }

  /** Any text. */
  public static EndpointOption<String> text(String name, String description) {
    return plain(name, "TEXT", description, String.class);
  }

  /** The path of a file; one in a configuration file is relative to the process's folder too. */
  public static EndpointOption<Path> file(String name, String description) {
    return plain(name, "FILE", description, Path.class);
  }

  /**
   * Anything else.
   *
   * @param syntax reads a value, or throws {@link IllegalArgumentException} with a sentence
   */
  public static <T> EndpointOption<T> of(
      String name, String label, String description, Class<T> type, Function<String, T> syntax) {
    return new EndpointOption<>(
        name,
        label,
        description,
        type,
        Optional.of(syntax),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  private static <T> EndpointOption<T> plain(
      String name, String label, String description, Class<T> type) {
    return new EndpointOption<>(
        name,
        label,
        description,
        type,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  /**
   * With a value for when nobody says otherwise.
   *
   * @param text the same as people write it
   */
  public EndpointOption<T> withPreset(T value, String text) {
    return new EndpointOption<>(
        name, label, description, type, syntax, Optional.of(value), Optional.of(text), instead);
  }

  /** With another word, or the values that there are, in place of a value. */
  public EndpointOption<T> withLabel(String newLabel) {
    return new EndpointOption<>(
        name, newLabel, description, type, syntax, preset, presetText, instead);
  }

  /** That cannot be given together with another one, on the command line. */
  public EndpointOption<T> insteadOf(EndpointOption<?> other) {
    return new EndpointOption<>(
        name, label, description, type, syntax, preset, presetText, Optional.of(other));
  }

  /** The description, with the default before its last full stop. */
  public String help() {
    String stop = description.endsWith(".") ? "." : "";
    String text = description.substring(0, description.length() - stop.length());
    return presetText
        .map(preset -> "%s (default: %s)%s".formatted(text, preset, stop))
        .orElse(description);
  }

  private static boolean isOn(String text) {
    return switch (text.strip().toLowerCase(Locale.ROOT)) {
      // To some readers of YAML these words are text, and to others truth values.
      case "on", "true" -> true;
      case "off", "false" -> false;
      default -> throw new IllegalArgumentException("'%s' is neither on nor off".formatted(text));
    };
  }

  private static String lowerCase(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
