/**
 * What is told of a run, all from one source, {@link dev.peerbar.scenario.RunListener}: to people,
 * as KTAP, as JUnit's XML, as JSON, on a page. Reports in files are merged and compared.
 */
package dev.peerbar.scenario.report;
