"""How far a run is: written by the engine, read by bar and panel."""

from __future__ import annotations

from dataclasses import dataclass, field

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock

__all__ = ["Phase", "Progress"]


@dataclass(eq=False)
class Phase:
    """One stretch of a run.

    Attributes
    ----------
    what : str
        ``"documents"`` while they are generated, ``"PDFs"`` while they are fetched.
    total, done, failed, unknown : int
        ``done`` counts every row with a final outcome, failed and unknown ones too.
    note : str
        What people should know, e.g. which version "latest" was.
    aside : int
        Rows that this attempt is not about: all but the two of a retry of two rows. Counted in ``total`` and
        ``done``.
    no_pdf : int
        Documents whose PDFs can never be made; not among ``failed``.
    """

    what: str = "documents"
    total: int = 0
    done: int = 0
    failed: int = 0
    unknown: int = 0
    note: str = ""
    aside: int = 0
    no_pdf: int = 0

    @property
    def shown(self) -> tuple[int, int]:
        """How many of how many are done, of the rows that this attempt is about."""
        return max(0, self.done - self.aside), self.total - self.aside

    @property
    def flawed(self) -> bool:
        """Whether something needs a person."""
        return bool(self.failed or self.unknown or self.no_pdf)


@dataclass(eq=False)
class Progress:
    """Counts of a run, plain numbers that any thread may read.

    Attributes
    ----------
    phases : list of Phase
        Those that have begun; the last one is under way.
    resumes_at : float
        Moment on the clock until which the run waits for the rate limit; 0 when it does not.
    gives_up_at : float
        Moment until which the run waits at most for a service that is away; 0 when it is not.
    told : (int, float)
        The status by which the service asked to wait, and until when; the latter 0 when it did not.
    ended : bool
        Whether all is done.
    lines : list of str
        What is printed when the bar is gone.
    """

    clock: Clock = SYSTEM_CLOCK
    phases: list[Phase] = field(default_factory=list)
    resumes_at: float = 0.0
    gives_up_at: float = 0.0
    ended: bool = False
    told: tuple[int, float] = (0, 0.0)
    lines: list[str] = field(default_factory=list)

    def begin(self, what: str, total: int, note: str = "") -> Phase:
        """Start a phase."""
        self.phases.append(Phase(what, total, note=note))
        self.resumes_at = 0.0
        return self.phases[-1]

    def waiting(self, seconds: float) -> None:
        """Say that the rate limit holds the run for so long; 0 when it goes on."""
        self.resumes_at = self.clock.monotonic() + seconds if seconds > 0 else 0.0

    def asked_to_wait(self, status: int, seconds: float) -> None:
        """Say that the service itself asked to wait: by 429 or 503, for so long."""
        self.told = (status, self.clock.monotonic() + seconds)

    @property
    def reason(self) -> str:
        """What the run waits for when it waits, in words."""
        status, until = self.told
        if self.clock.monotonic() >= until:
            return "rate limit"
        return "the service is busy (503)" if status == 503 else f"the service asks to wait ({status})"

    def away(self, seconds: float) -> None:
        """Say that the service is away, and for how long it is waited for at most; 0 when it is back."""
        self.gives_up_at = self.clock.monotonic() + seconds if seconds > 0 else 0.0

    @property
    def outage(self) -> float:
        """Seconds that the run still waits at most for a service that is away; 0.0 when it is there."""
        return max(0.0, self.gives_up_at - self.clock.monotonic()) if self.gives_up_at else 0.0

    @property
    def wait(self) -> float:
        """Seconds that the run still waits for the rate limit."""
        return max(0.0, self.resumes_at - self.clock.monotonic()) if self.resumes_at else 0.0
