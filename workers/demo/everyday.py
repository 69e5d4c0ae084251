"""Generate everyday text about weather, cooking, travel and home, with the grammar of the notes and no
clinical word."""

from __future__ import annotations

import random
from collections.abc import Sequence

from workers.demo.lexicon import PEOPLE, PLACES

_FILLERS: dict[str, Sequence[str]] = {
    "thing": [
        "bread",
        "soup",
        "cake",
        "rice",
        "tea",
        "cheese",
        "pie",
        "salad",
        "sauce",
        "butter",
        "coffee",
        "jam",
        "honey",
        "pasta",
    ],
    "weather": [
        "rain",
        "snow",
        "wind",
        "fog",
        "sun",
        "frost",
        "thunder",
        "hail",
        "mist",
        "clouds",
        "drizzle",
        "storms",
    ],
    "ride": ["train", "bus", "boat", "car", "bicycle", "ferry", "tram", "plane", "taxi"],
    "spot": [
        "garden",
        "kitchen",
        "station",
        "market",
        "river",
        "bridge",
        "library",
        "harbour",
        "park",
        "school",
        "square",
        "museum",
    ],
    "item": [
        "book",
        "letter",
        "chair",
        "lamp",
        "window",
        "door",
        "basket",
        "ladder",
        "clock",
        "umbrella",
        "fence",
    ],
    "trait": [
        "old",
        "new",
        "warm",
        "cold",
        "quiet",
        "small",
        "large",
        "bright",
        "late",
        "early",
        "green",
        "heavy",
        "clean",
    ],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "he": ["he", "she"],
    "man": ["man", "woman", "neighbour", "teacher", "farmer"],
    "person": PEOPLE,
    "place": PLACES,
    "number": [str(number) for number in range(2, 95)],
}

_TEMPLATES = (
    "{he} took the {ride} from {place} to {place} on {day} .",
    "There was no {weather} in {place} after {day} .",
    "The {trait} {item} was left in the {spot} for {number} days .",
    "We gave {thing} to the {man} with the {trait} {item} .",
    "A {number} year old {man} came in from the {spot} with {thing} and {thing} .",
    "On {day} {weather} was seen over the {spot} .",
    "{person} asked about the {item} and the {ride} .",
    "Then the {thing} was kept warm while the {thing} was only watched .",
    "At home {he} takes {thing} without {thing} .",
    "In the past {he} had a {trait} {item} .",
    "{he} was brought in because of the {weather} .",
    "By {day} {he} was up and eating {thing} .",
    "The {ride} was stopped before the {weather} began .",
    "We talked about {thing} with {person} , see the letter .",
    "{person} wants a {trait} {item} for the {spot} .",
    "Since then the {spot} has been {trait} and {trait} .",
    "No {thing} was left , but the {thing} was not {trait} .",
    "After {number} days {he} walked to {place} without help .",
    "Still {weather} as before , and the {ride} was {trait} .",
    "{he} was moved to the {trait} {spot} on {day} .",
    "The {man} chose {thing} over {thing} because it was {trait} .",
    "While on the {ride} {he} saw {weather} near the {spot} .",
    "{person} knows of a {trait} {spot} in {place} .",
    "The {item} did not show up and {he} went home .",
    "The {item} was managed with a {trait} {ride} and the {spot} with {thing} .",
    "The {man} hopes that {thing} will help with the {weather} .",
    "{he} slept well in the {trait} {spot} and felt the same .",
    "A bed in {place} was asked for , and there was little change .",
    "It was worse and hard to stand in the {weather} , so {he} stays home .",
)


def story(source: random.Random) -> str:
    """Return four to six sentences."""
    return " ".join(_sentence(source) for _ in range(source.randint(4, 6)))


def _sentence(source: random.Random) -> str:
    words = [
        source.choice(_FILLERS[word[1:-1]]) if word.startswith("{") else word
        for word in source.choice(_TEMPLATES).split()
    ]
    text = " ".join(words).replace(" .", ".").replace(" ,", ",")
    return text[0].upper() + text[1:]
