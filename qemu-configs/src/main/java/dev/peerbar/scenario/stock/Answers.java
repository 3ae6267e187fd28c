package dev.peerbar.scenario.stock;

import static dev.peerbar.scenario.UnexpectedException.unless;

import com.fasterxml.jackson.databind.JsonNode;
import dev.peerbar.lab.guest.GuestProgram.Outcome;
import dev.peerbar.scenario.UnexpectedException;

/** What nvme(1) must have answered. */
final class Answers {
  private Answers() {}

  static void succeed(Outcome outcome) throws UnexpectedException {
    unless(outcome.status() == 0, "%s", outcome);
  }

  static void check(JsonNode in, String field, long expected) throws UnexpectedException {
    JsonNode value = in.path(field);
    unless(value.asLong(-1) == expected, "%s is %s, not %d", field, value, expected);
  }

  static void checkBits(JsonNode in, String field, int bits) throws UnexpectedException {
    long value = in.path(field).asLong();
    unless((value & bits) == bits, "%s 0x%x lacks 0x%x", field, value, bits & ~value);
  }

  static void checkText(JsonNode in, String field, String expected) throws UnexpectedException {
    String value = in.path(field).asText().strip();
    unless(value.equals(expected), "%s is %s, not %s", field, value, expected);
  }
}
