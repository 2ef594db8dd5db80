<?php
// Reads one calendar file with sabre/vobject, lets it check the file against the RFC, and prints
// what each of its events says, as JSON.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'Sabre/VObject/autoload.php';

$calendar = Sabre\VObject\Reader::read(file_get_contents($argv[1]));
$faults = array_map(fn ($fault) => $fault['message'], $calendar->validate());
$told = [];
foreach ($calendar->VEVENT ?? [] as $event) {
    $told[] = [
        'uid' => (string) $event->UID,
        'starts' => $event->DTSTART->getDateTime()->getTimestamp(),
        'ends' => $event->DTEND->getDateTime()->getTimestamp(),
        // Version 2.1, which Debian carries, leaves escaped commas and semicolons to its callers.
        'title' => str_replace(['\\,', '\\;'], [',', ';'], (string) $event->SUMMARY),
        'sequence' => (int) (string) $event->SEQUENCE,
        'cancelled' => (string) $event->STATUS === 'CANCELLED',
    ];
}
echo json_encode(['faults' => $faults, 'events' => $told]);
