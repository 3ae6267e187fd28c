/**
 * What is told of a run, all from one source, {@link dev.peerbar.scenario.RunListener}: to people,
 * as KTAP, as JUnit's XML.
 */
package dev.peerbar.scenario.report;
