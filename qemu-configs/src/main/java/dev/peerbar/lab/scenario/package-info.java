/**
 * Scenarios: what a lab performs in a booted guest, step by step. The families are in rooms of
 * their own.
 */
package dev.peerbar.lab.scenario;
