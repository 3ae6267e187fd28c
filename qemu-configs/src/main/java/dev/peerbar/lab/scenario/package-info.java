/** Scenarios: what a lab performs in a booted guest, step by step. */
package dev.peerbar.lab.scenario;
