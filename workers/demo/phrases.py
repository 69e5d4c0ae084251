"""The sentences of the invented notes, as templates of words and slots between spaces.

Slots: p q problems, t a test, r s treatments, x anything or a person; age he man doctor place day number. No
sentence begins with a slot for an entity, so that a name always looks the same.
"""

from __future__ import annotations

Pairs = tuple[tuple[str, str], ...]  # (treatment slot, problem slot) that the sentence relates

ADMISSION = (
    "{age} year old {man} admitted with {p} .",
    "This {age} year old {man} came in from {place} with {p} .",
    "{he} was brought in on {day} because of {p} .",
    "{doctor} sent in this {man} of {age} with {p} for {number} days .",
    "A {man} of {age} who was admitted on {day} for {p} .",
)

FINDINGS = (  # the problem is there
    "On {day} {t} showed {q} .",
    "The {t} was in keeping with {q} .",
    "Then {t} found {q} as well .",
    "After {number} days {t} confirmed {q} .",
)

NO_FINDINGS = (  # the problem is not there
    "On {day} {t} did not show {q} .",
    "The {t} ruled out {q} .",
    "There was no {q} on {t} .",
    "{he} denies {q} and {t} was normal .",
    "We saw no sign of {q} after {t} .",
)

HISTORY = (
    "In the past {he} had {q} .",
    "Mother had {q} and {t} was offered .",
    "Known {q} since {day} .",
    "At home {he} takes {r} and {s} .",
    "Not allergic to {r} .",
)

# Only the name itself shows the type here.
UNTOLD = (
    "On {day} {x} again .",
    "Also {x} , see the letter from {doctor} .",
    "We talked about {x} with {doctor} .",
    "{he} asked about {x} .",
    "Still {x} as before .",
    "Note {x} and {x} .",
    "{doctor} knows of {x} .",
    "Please mind {x} on {day} .",
)

RELATED: tuple[tuple[str, Pairs], ...] = (
    ("We gave {r} for {p} .", (("r", "p"),)),
    ("{he} was started on {r} because of {p} .", (("r", "p"),)),
    ("After {r} the {p} was better .", (("r", "p"),)),
    ("The {p} responded well to {r} .", (("r", "p"),)),
    ("{doctor} wants {r} to settle the {p} .", (("r", "p"),)),
    ("For {p} {he} had {number} days of {r} .", (("r", "p"),)),
    ("The family hopes that {r} will help with {p} .", (("r", "p"),)),
    ("We gave {r} for {p} while {q} was only watched .", (("r", "p"),)),
    ("While {q} was left alone , {p} was managed with {r} .", (("r", "p"),)),
    ("With {r} the {p} went away but {q} did not .", (("r", "p"),)),
    ("The {p} was managed with {r} and the {q} with {s} .", (("r", "p"), ("s", "q"))),
    ("We chose {r} over {s} for {p} .", (("r", "p"),)),
)

UNRELATED: tuple[tuple[str, Pairs], ...] = (
    ("We stopped {r} before {p} began .", ()),
    ("No {r} was given for {p} .", ()),
    ("{he} was on {r} at home and now has {p} .", ()),
    ("The {p} began {number} days after {r} .", ()),
    ("{doctor} does not want {r} for {p} .", ()),
    ("While on {r} {he} got {p} .", ()),
    ("For {p} we chose to wait , and {r} went on as before .", ()),
    ("The {p} was left alone and {r} was kept for sleep .", ()),
    ("The family asked whether {r} brought on the {p} .", ()),
)

UNCLEAR: tuple[tuple[str, Pairs], ...] = (  # ambiguous, so it is drawn with and without its pair
    ("On {day} {r} and {p} .", (("r", "p"),)),
    ("We talked about {p} and {r} with {doctor} .", (("r", "p"),)),
)

COURSES = {  # decides the outcome, with the severity of the problems
    "better": (
        "Since then {he} has been well .",
        "By {day} {he} was up and eating well .",
        "{he} slept well and felt stronger .",
        "After {number} days {he} was stronger and walked without help .",
    ),
    "unchanged": (
        "Since then there was no change .",
        "By {day} {he} was much the same .",
        "{he} slept as before and felt the same .",
        "After {number} days there was little change .",
    ),
    "worse": (
        "Since then {he} has been weaker .",
        "By {day} {he} was worse and hard to wake .",
        "{he} slept badly and felt worse .",
        "After {number} days {he} was weaker and could not stand .",
    ),
    "elsewhere": (
        "A bed in {place} was asked for .",
        "The team in {place} has a bed for {him} .",
        "There is no team for this here , so {place} was asked .",
    ),
}

OUTCOMES = {  # only part of the pre-training text
    "home": ("{he} went home on {day} .", "Sent home to {place} ."),
    "ward": ("{he} stays on the ward .", "Kept on the ward until {day} ."),
    "intensive-care": ("{he} was moved to intensive care .", "Taken to intensive care on {day} ."),
    "transfer": ("{he} was moved to {place} .", "Transfer to {place} on {day} ."),
}
