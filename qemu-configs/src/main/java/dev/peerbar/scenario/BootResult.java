package dev.peerbar.scenario;

import dev.peerbar.lab.boot.Lab.Complaint;
import dev.peerbar.lab.kernel.KernelOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A guest that was booted, or did not boot.
 *
 * @param setting which
 * @param number in the setting, from 1: more than one if a guest had to be booted anew
 * @param took until its agent answered, or until it was given up
 * @param complaints of its kernel and QEMU from before an endpoint was touched, which no scenario
 *     is to blame for
 * @param kernel what its kernel has; empty if there is no guest
 * @param failure why there is no guest
 * @param qemuFailed whether that is QEMU's failure, not the guest's
 * @param logs the directory of its logs
 * @param endpoints that it has of this process
 */
public record BootResult(
    Setting setting,
    int number,
    Duration took,
    List<Complaint> complaints,
    Optional<KernelOptions> kernel,
    Optional<String> failure,
    boolean qemuFailed,
    Path logs,
    List<ServedEndpoint> endpoints) {
  public BootResult {
    complaints = List.copyOf(complaints);
    endpoints = List.copyOf(endpoints);
  }
}
