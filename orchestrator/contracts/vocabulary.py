"""The closed vocabularies."""

from __future__ import annotations

from enum import StrEnum

MOST_FOLDS = 20  # of a cross-validation


class TaskKind(StrEnum):
    CLASSIFICATION = "classification"
    NER = "ner"
    RELATION = "relation"
    MULTILABEL = "multilabel"  # any number of labels for a text
    REGRESSION = "regression"  # a number for a text


class Sensitivity(StrEnum):
    """What the files of a task may hold."""

    SENSITIVE = "sensitive"  # text of patients, or what an agreement protects
    PUBLIC = "public"


class Split(StrEnum):
    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class Unit(StrEnum):
    """What of a test part is drawn independently, as far as its files tell; the weakest last."""

    PATIENT = "patients"
    DOCUMENT = "documents"
    SENTENCE = "sentences"  # perhaps several of one document
    TEXT = "texts"  # likewise

    @property
    def is_known(self) -> bool:
        """Return whether the files say which examples belong together."""
        return self in (Unit.PATIENT, Unit.DOCUMENT)


class Phase(StrEnum):
    """What an attempt spends its device time on. Phases are exclusive: a second belongs to one."""

    QUEUE = "queue"  # devices are held, and the process is not asked for yet: order, hand-over
    START = "start"  # from there to the first line of work
    LOAD = "load"  # weights to device, method applied
    TOKENISE = "tokenise"  # reading and encoding the data, or finding them in memory
    TRAIN = "train"
    EVALUATE = "evaluate"  # scoring dev
    CHECKPOINT = "checkpoint"
    TEST = "test"  # scoring test, once
    SERVE = "serve"  # timing how fast the finished model answers

    @property
    def is_result(self) -> bool:
        """Part of what a result took. The others depend on the host, on its disk, on whether an earlier trial
        has read the same data, or tell of the service that the model may become."""
        return self in (Phase.LOAD, Phase.TRAIN, Phase.EVALUATE, Phase.TEST)

    @property
    def is_scoring(self) -> bool:
        return self in (Phase.EVALUATE, Phase.TEST)

    @property
    def is_kept(self) -> bool:
        """Return whether a checkpoint carries the work of the phase over to the attempt that resumes; the
        other phases are repeated."""
        return self in (Phase.TRAIN, Phase.EVALUATE, Phase.CHECKPOINT)


class Source(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"  # by a meter
    ESTIMATED = "estimated"  # by a rule that is stated beside it
    MISSING = "missing"


class Figure(StrEnum):
    """A figure that is recorded for the phases of an attempt, besides their seconds."""

    GPU_ENERGY = "gpu_energy"
    CPU_ENERGY = "cpu_energy"
    FLOPS = "flops"
    TOKENS = "tokens"
    HOST_MEMORY = "host_memory"
    DEVICE_MEMORY = "device_memory"


class FailureKind(StrEnum):
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    PREEMPTED = "PREEMPTED"  # killed from outside; nothing wrong with the trial
    DEVICE = "DEVICE"  # its GPU failed, or could not be used; nothing wrong with the trial
    TIMEOUT = "TIMEOUT"
    DIVERGED = "DIVERGED"  # a non-finite loss
    COLLAPSED = "COLLAPSED"  # predicts one class for everything
    BAD_INPUT = "BAD_INPUT"  # the user's data, weights or settings
    BUG = "BUG"

    @property
    def blames_the_machine(self) -> bool:
        """Return whether nothing was wrong with the trial: on another machine it may well finish."""
        return self in (FailureKind.PREEMPTED, FailureKind.DEVICE)

    @property
    def blames_the_training(self) -> bool:
        """Training itself went wrong: with another seed, or on another machine, it may well do so again."""
        return self in (FailureKind.COLLAPSED, FailureKind.DIVERGED)


class FailureRule(StrEnum):
    """What a report does with seeds whose training collapsed or diverged."""

    COUNT = "count"  # each counts with what guessing gives
    LEAVE_OUT = "leave_out"  # quality is that of the other seeds


class TrialState(StrEnum):
    FINISHED = "finished"  # an outcome under the planned fingerprint, with test metrics
    FAILED = "failed"  # its last attempt under the planned fingerprint ended in a failure
    UNFINISHED = "unfinished"  # attempts under the planned fingerprint, none of them ended
    STALE = "stale"  # results exist under other fingerprints only
    NEW = "new"  # never attempted


class Precision(StrEnum):
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"  # with a scaled loss

    @property
    def halves(self) -> bool:
        """Return whether activations take two bytes."""
        return self is not Precision.FP32


class Family(StrEnum):
    """What an architecture does with a text: it decides where a label is read off."""

    ENCODER = "encoder"  # both directions; padding on either side
    DECODER = "decoder"  # left to right; the last token has seen the most
    STATE_SPACE = "state-space"  # left to right, no attention


class Signature(StrEnum):
    """How the quality on dev went in a trial that came to its end. Rules: `workers.learning_curve`."""

    IMPROVING = "improving"  # the last evaluation is the best one, by a margin: more training may help
    CONVERGED = "converged"  # it rose, and the end adds no more than the margin to its best
    PLATEAUED = "plateaued"  # it never rose above where it began by more than the margin
    COLLAPSED = "collapsed"  # one class for everything, or an AUROC near one half
