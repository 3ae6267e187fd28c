package dev.peerbar.scenario.report;

import dev.peerbar.scenario.BootResult;
import dev.peerbar.scenario.GroupEnd;
import dev.peerbar.scenario.Outcome;
import dev.peerbar.scenario.Plan;
import dev.peerbar.scenario.RunListener;
import dev.peerbar.scenario.ScenarioResult;
import dev.peerbar.scenario.Setting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Counts what comes of a run. For one thread, or any after the run. */
public final class Tally implements RunListener {
  private final Map<String, Set<String>> skipped = new LinkedHashMap<>();
  private final Map<String, Integer> skips = new LinkedHashMap<>();
  private final List<Setting> unwell = new ArrayList<>();
  private final List<ScenarioResult> failed = new ArrayList<>();
  private Plan plan;
  private long start;
  private int passed;
  private int skippedCount;
  private int boots;
  private int guests;
  private boolean qemuFailed;

  @Override
  public void planned(Plan whole, long seed) {
    plan = whole;
    start = System.nanoTime();
  }

  @Override
  public void booted(BootResult boot) {
    boots++;
    if (boot.failure().isEmpty()) {
      guests++;
    }
    qemuFailed |= boot.qemuFailed();
  }

  @Override
  public void scenarioEnded(ScenarioResult result) {
    switch (result.outcome()) {
      case Outcome.Passed _ -> passed++;
      case Outcome.Failed _ -> failed.add(result);
      case Outcome.Skipped(String reason) -> {
        skippedCount++;
        skips.merge(reason, 1, Integer::sum);
        skipped.computeIfAbsent(reason, _ -> new LinkedHashSet<>()).add(result.scenario().name());
      }
    }
  }

  @Override
  public void groupEnded(GroupEnd end) {
    if (!end.problems().isEmpty()) {
      unwell.add(end.setting());
    }
  }

  /** Whether nothing failed so far, neither a scenario nor a guest. */
  public boolean held() {
    return failed.isEmpty() && unwell.isEmpty();
  }

  /** Whether all that was planned has a result. */
  public boolean complete() {
    return missing() == 0;
  }

  int passed() {
    return passed;
  }

  List<ScenarioResult> failed() {
    return failed;
  }

  int skipped() {
    return skippedCount;
  }

  /** How many results are not there yet. */
  int missing() {
    return plan.size() - passed - failed.size() - skippedCount;
  }

  /** How often a reason was met, by reason. */
  Map<String, Integer> skips() {
    return skips;
  }

  /** Which scenarios a reason was met by. */
  Set<String> skippedFor(String reason) {
    return skipped.get(reason);
  }

  /** How many guests came up. */
  public int guests() {
    return guests;
  }

  /** Whether a guest did not come up by QEMU's fault. */
  public boolean qemuFailed() {
    return qemuFailed;
  }

  /** How many guests were booted, or should have been. */
  int boots() {
    return boots;
  }

  /** Where something was wrong with guests. */
  List<Setting> unwell() {
    return unwell;
  }

  Duration took() {
    return Duration.ofNanos(System.nanoTime() - start);
  }
}
