/** Guided tours: chosen scenarios in a chosen order, told step by step ({@code peerbar lab}). */
package dev.peerbar.scenario.tour;
