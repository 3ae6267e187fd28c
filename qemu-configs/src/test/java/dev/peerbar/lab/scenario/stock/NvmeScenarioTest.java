package dev.peerbar.lab.scenario.stock;

import dev.peerbar.lab.scenario.StepTests;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** The steps of {@code peerbar lab nvme}, each a test: all of its trials. */
@Tag("guest")
final class NvmeScenarioTest {

  @TestFactory
  Stream<DynamicNode> nvme() {
    return NvmeBoot.TRIALS.stream()
        .map(boot ->
            StepTests.inOneBoot(
                "nvme-" + boot.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                (files, logs) -> NvmeScenario.start(files, boot, boot.machine(), logs)));
  }
}
