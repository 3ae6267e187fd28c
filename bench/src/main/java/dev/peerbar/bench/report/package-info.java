/** What came out of a run, and how it is shown: the table, the JSON file and the page. */
package dev.peerbar.bench.report;
