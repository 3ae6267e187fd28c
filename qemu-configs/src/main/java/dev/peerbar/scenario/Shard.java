package dev.peerbar.scenario;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One of the parts into which a plan is cut, so that as many machines try it together: each
 * scenario of each setting, with all of its rounds, is in exactly one of them. Parts differ by at
 * most one scenario, and a part has what is neighbours in the plan, so that few settings are cut
 * and boot in two of them.
 *
 * @param number from 1
 * @param count how many there are
 */
public record Shard(int number, int count) {
  /** The only one. */
  public static final Shard WHOLE = new Shard(1, 1);

  private static final int MOST = 10_000;
  private static final Pattern WORDS = Pattern.compile("(\\d{1,5})/(\\d{1,5})");

  public Shard {
    if (count < 1 || count > MOST || number < 1 || number > count) {
      throw wrong(number + "/" + count);
    }
  }

  /**
   * Of its number and their count, such as {@code 2/5}.
   *
   * @throws IllegalArgumentException with a sentence that says what is wrong
   */
  public static Shard parse(String text) {
    Matcher words = WORDS.matcher(text);
    if (!words.matches()) {
      throw wrong(text);
    }
    return new Shard(Integer.parseInt(words.group(1)), Integer.parseInt(words.group(2)));
  }

  private static IllegalArgumentException wrong(String text) {
    return new IllegalArgumentException(
        "--shard takes I/N with I from 1 to N and N up to %d, such as 2/5, not %s"
            .formatted(MOST, text));
  }

  /** Its part of a plan; one without groups if there are more parts than scenarios. */
  public Plan of(Plan plan) {
    long all = plan.groups().stream().mapToLong(g -> g.scenarios().size()).sum();
    long first = all * (number - 1) / count;
    long end = all * number / count;
    List<Plan.Group<?>> mine = new ArrayList<>();
    long at = 0;
    for (Plan.Group<?> group : plan.groups()) {
      int size = group.scenarios().size();
      int from = Math.clamp(first - at, 0, size);
      int to = Math.clamp(end - at, 0, size);
      if (from < to) {
        mine.add(part(group, from, to));
      }
      at += size;
    }
    return new Plan(mine, plan.rounds());
  }

  private static <E extends Environment> Plan.Group<E> part(Plan.Group<E> group, int from, int to) {
    return new Plan.Group<>(group.kind(), group.setting(), group.scenarios().subList(from, to));
  }

  @Override
  public String toString() {
    return number + "/" + count;
  }
}
