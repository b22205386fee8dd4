"""Jobs: what happens later, in the background, and again when it failed.

Law: this room runs functions that the composition root gives it, and knows neither DIMSE nor what a job is for. Rows
say what is to be done (`storage.index.errands`, `storage.index.commitments`); a job only wakes up whoever does it.
"""

from storage.jobs.dispatcher import Dispatcher
from storage.jobs.errands import Errand, Errands

__all__ = ["Dispatcher", "Errand", "Errands"]
