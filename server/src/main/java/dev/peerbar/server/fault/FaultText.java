package dev.peerbar.server.fault;

import dev.peerbar.pci.PcieError;
import dev.peerbar.protocol.Command;
import dev.peerbar.server.TimeText;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** Faults as people write them: a name, and a value where there is one to choose. */
public final class FaultText {
  private static final String FOR_EVER = "ever";

  private FaultText() {}

  /**
   * A kind of fault.
   *
   * @param name of it
   * @param value what may be written after an equals sign, in capitals; empty for nothing
   * @param needsValue whether it has to be
   * @param help what it is, in half a sentence
   */
  public record Kind(String name, String value, boolean needsValue, String help) {

    /** How it is written. */
    public String usage() {
      if (value.isEmpty()) {
        return name;
      }
      return needsValue ? name + "=" + value : "%s[=%s]".formatted(name, value);
    }
  }

  private record Form(Kind kind, Function<String, Fault> parser) {}

  private static final List<Form> FORMS =
      List.of(
          needing(
              "reset-takes",
              "TIME|ever",
              "a function-level reset is over only then: until then all that is read is ones",
              text ->
                  new Fault.ResetTakes(
                      text.equals(FOR_EVER)
                          ? Optional.empty()
                          : Optional.of(TimeText.parse(text)))),
          having(
              "all-ones",
              "config|bars",
              "reads give all ones and writes are lost, as of a function that fell off its bus",
              FaultText::allOnes),
          having(
              "stuck",
              "ENGINE",
              "engines stick at the next bytes that they would move, until they are ended",
              text -> new Fault.Stuck(text.isEmpty() ? Optional.empty() : Optional.of(text))),
          needing(
              "interrupts-late",
              "TIME",
              "interrupts come so much later",
              text -> new Fault.InterruptsLate(TimeText.parse(text))),
          bare("interrupts-lost", "interrupts do not come", Fault.InterruptsLost::new),
          needing(
              "interrupts-doubled",
              "TIME",
              "interrupts come twice, so far apart",
              text -> new Fault.InterruptsDoubled(TimeText.parse(text))),
          needing(
              "replies-late",
              "TIME[,COMMAND]",
              "the client's requests (DMA_UNMAP, say) are answered so much later",
              FaultText::repliesLate),
          bare(
              "keeps-mappings",
              "memory that the client has unmapped is used on: broken on purpose",
              Fault.KeepsMappings::new),
          bare(
              "ignores-bus-master",
              "clearing Bus Master Enable ends nothing: broken on purpose",
              Fault.IgnoresBusMaster::new),
          needing(
              "error",
              "correctable|non-fatal|fatal",
              "at once: an error is reported (AER); QEMU stops the guest at one that is not"
                  + " correctable",
              text -> new Fault.Error(severity(text))),
          needing(
              "stray-write",
              "IOVA",
              "at once: a write of 8 bytes that nobody asked for",
              text -> new Fault.StrayWrite(address(text), true)),
          needing(
              "unchecked-write",
              "IOVA",
              "at once: the same, without a look at the client's mappings",
              text -> new Fault.StrayWrite(address(text), false)));

  private static Form needing(
      String name, String value, String help, Function<String, Fault> parser) {
    return new Form(new Kind(name, value, true, help), parser);
  }

  private static Form having(
      String name, String value, String help, Function<String, Fault> parser) {
    return new Form(new Kind(name, value, false, help), parser);
  }

  private static Form bare(String name, String help, Supplier<Fault> fault) {
    return new Form(new Kind(name, "", false, help), _ -> fault.get());
  }

  /** All there are. */
  public static List<Kind> kinds() {
    return FORMS.stream().map(Form::kind).toList();
  }

  /**
   * The fault that a text stands for.
   *
   * @throws IllegalArgumentException with a sentence that says what can be written
   */
  public static Fault parse(String text) {
    int equals = text.indexOf('=');
    String name = equals < 0 ? text : text.substring(0, equals);
    String value = equals < 0 ? "" : text.substring(equals + 1);
    Form form =
        FORMS.stream()
            .filter(one -> one.kind.name.equals(name))
            .findFirst()
            .orElseThrow(() ->
                new IllegalArgumentException(
                    "there is no fault '%s'; there are %s"
                        .formatted(
                            name,
                            kinds().stream().map(Kind::name).collect(Collectors.joining(", ")))));
    boolean fits =
        equals < 0 ? !form.kind.needsValue : !value.isEmpty() && !form.kind.value.isEmpty();
    if (!fits) {
      throw new IllegalArgumentException(
          "'%s' is not how a fault is written: %s".formatted(text, form.kind.usage()));
    }
    try {
      return form.parser.apply(value);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "'%s' is not how a fault is written: %s (%s)"
              .formatted(text, form.kind.usage(), e.getMessage()),
          e);
    }
  }

  /** The text that {@link #parse} makes the same fault of. */
  public static String of(Fault fault) {
    return switch (fault) {
      case Fault.ResetTakes it -> "reset-takes=" + it.takes().map(TimeText::of).orElse(FOR_EVER);
      case Fault.AllOnes it ->
          it.config() && it.bars() ? "all-ones" : it.config() ? "all-ones=config" : "all-ones=bars";
      case Fault.Stuck it -> "stuck" + it.engine().map("="::concat).orElse("");
      case Fault.InterruptsLate it -> "interrupts-late=" + TimeText.of(it.by());
      case Fault.InterruptsLost _ -> "interrupts-lost";
      case Fault.InterruptsDoubled it -> "interrupts-doubled=" + TimeText.of(it.apart());
      case Fault.RepliesLate it ->
          "replies-late=" + TimeText.of(it.by()) + it.command().map(c -> "," + c).orElse("");
      case Fault.KeepsMappings _ -> "keeps-mappings";
      case Fault.IgnoresBusMaster _ -> "ignores-bus-master";
      case Fault.Error it -> "error=" + word(it.severity());
      case Fault.StrayWrite it ->
          "%s=0x%x".formatted(it.checked() ? "stray-write" : "unchecked-write", it.iova());
    };
  }

  private static Fault allOnes(String part) {
    return switch (part) {
      case "" -> new Fault.AllOnes(true, true);
      case "config" -> new Fault.AllOnes(true, false);
      case "bars" -> new Fault.AllOnes(false, true);
      default -> throw new IllegalArgumentException("neither config nor bars: " + part);
    };
  }

  private static Fault repliesLate(String value) {
    String[] parts = value.split(",", -1);
    if (parts.length > 2) {
      throw new IllegalArgumentException("more than a time and a command");
    }
    return new Fault.RepliesLate(
        TimeText.parse(parts[0]),
        parts.length < 2 ? Optional.empty() : Optional.of(command(parts[1])));
  }

  private static Command command(String name) {
    return Arrays.stream(Command.values())
        .filter(command -> command.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no command is called " + name));
  }

  private static PcieError severity(String word) {
    return Arrays.stream(PcieError.values())
        .filter(error -> word(error).equals(word))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no error is " + word));
  }

  private static String word(PcieError error) {
    return error.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static long address(String text) {
    try {
      return text.startsWith("0x")
          ? Long.parseUnsignedLong(text.substring(2), 16)
          : Long.parseUnsignedLong(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("no address is " + text, e);
    }
  }
}
