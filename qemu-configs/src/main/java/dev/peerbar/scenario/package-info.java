/**
 * Scenarios: cases that stand alone, each tried in a booted guest on real endpoints.
 *
 * <p>A {@link dev.peerbar.scenario.Scenario} works on an environment that a {@link
 * dev.peerbar.scenario.Fixture} gives it; the {@link dev.peerbar.scenario.Runner} has them tried,
 * one after the other, and judges what each left behind. The families are in rooms of their own.
 */
package dev.peerbar.scenario;
