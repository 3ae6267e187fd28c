package dev.peerbar.bench.report;

import dev.peerbar.bench.harness.Curve;
import dev.peerbar.bench.harness.Distribution;
import dev.peerbar.bench.harness.Figure;
import java.util.List;
import java.util.Optional;

/**
 * What came out of one benchmark.
 *
 * @param failure a sentence, if it could not be measured to its end
 */
public record Section(
    String name,
    String about,
    List<Figure> figures,
    List<Distribution> distributions,
    List<Curve> curves,
    Optional<String> failure) {}
