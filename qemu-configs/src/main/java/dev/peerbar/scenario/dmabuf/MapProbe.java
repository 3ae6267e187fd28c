package dev.peerbar.scenario.dmabuf;

import static dev.peerbar.scenario.UnexpectedException.unless;

import dev.peerbar.lab.uapi.VfioDeviceFeature;
import dev.peerbar.lab.vfio.DmaBufControl;
import dev.peerbar.linux.Errno;
import dev.peerbar.scenario.Case;
import dev.peerbar.scenario.GuestFeature;
import dev.peerbar.scenario.Scenario;
import dev.peerbar.scenario.fixture.HbmPair;
import dev.peerbar.scenario.fixture.Refusals;
import java.util.List;

/** Features of vfio-pci that are probed for. */
final class MapProbe {
  private static final int NO_SUCH = 0xfff0;

  private MapProbe() {}

  static List<Scenario<?>> all() {
    return List.of(
        Case.on(
                HbmPair.KIND,
                "dmabuf.map.probe",
                "probe for features to revoke a DMABUF and to choose attributes, at A and at B",
                "both have the same, by the same numbers; one that nobody has is ENOTTY",
                MapProbe::probe)
            .needing(GuestFeature.DMABUF_EXPORT));
  }

  private static String probe(HbmPair pair) throws Exception {
    DmaBufControl a = DmaBufControl.of(pair.deviceA().vfio());
    DmaBufControl b = DmaBufControl.of(pair.deviceB().vfio());
    unless(
        a.revokeFeature().equals(b.revokeFeature())
            && a.attributeFeature().equals(b.attributeFeature()),
        "A has %s and %s, B %s and %s",
        a.revokeFeature(),
        a.attributeFeature(),
        b.revokeFeature(),
        b.attributeFeature());
    Refusals.refused(
        Errno.ENOTTY,
        "a feature that nobody has",
        () -> a.set(new VfioDeviceFeature(NO_SUCH).probeSet()));
    return "%s, %s"
        .formatted(
            a.revokeFeature().map(f -> "to revoke: " + f.feature()).orElse("none to revoke"),
            a.attributeFeature()
                .map(f -> "for attributes: " + f.feature())
                .orElse("none for attributes"));
  }
}
