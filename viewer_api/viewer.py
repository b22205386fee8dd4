"""The quick viewer's page: one series, its pictures in order, and the windows a doctor may choose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import NotFound
from pacs.model import StoredInstance
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.rendered import has_picture
from viewer_api.looks import page
from viewer_api.pages import sections_of
from viewer_api.rendering import Renderer
from viewer_api.session import SignedIn

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Preset:
    """A window to choose: its name (a key of `words`, or text of the instance) and its place in an address."""

    name: str
    parameter: str = ""
    key: bool = True

    def title(self, t: Callable[[str], str]) -> str:
        """The name in the language of the page, with its numbers."""
        name = t(self.name) if self.key else self.name
        width_level = self.parameter.split(",")
        return f"{name} · W {width_level[1]} L {width_level[0]}" if len(width_level) > 1 else name


# Window Center and Width in Hounsfield units that CT readers use every day.
CT_PRESETS: Sequence[Preset] = (
    Preset("window_soft_tissue", "40,400"),
    Preset("window_lung", "-600,1500"),
    Preset("window_bone", "400,1800"),
    Preset("window_brain", "40,80"),
    Preset("window_mediastinum", "50,350"),
    Preset("window_liver", "60,160"),
    Preset("window_vessels", "300,600"),
)


@router.get("/studies/{study}/series/{series}/view")
def view(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """One series on the dark stage."""
    stored = [s for s in archive.instances(session.hospital, study, series) if has_picture(s)]
    if not stored:
        raise NotFound(series)
    for section in sections_of(archive, session.hospital, study):
        for facts in section.pictures:
            if facts.series_instance_uid == series:
                slices = list(slices_of(stored))
                presets = presets_of(request.app.state.renderer, session.hospital, stored, facts.modality)
                start = len(slices) // 2
                return page(
                    request,
                    "viewer.html",
                    study=section.study,
                    series=facts,
                    presets=presets,
                    slices={"slices": slices, "start": start},
                )
    raise NotFound(series)


def slices_of(stored: Sequence[StoredInstance]) -> Iterator[tuple[str, int, int, int]]:
    """SOP Instance UID, frame, columns and rows of every picture, in the order of the series."""
    for instance in stored:
        for frame in range(1, max(1, instance.number_of_frames) + 1):
            yield instance.identity.sop_instance_uid, frame, instance.columns, instance.rows


def presets_of(renderer: Renderer, hospital: str, stored: Sequence[StoredInstance], modality: str) -> Sequence[Preset]:
    """As sent first; then the other windows the instance names itself; for CT the usual ones."""
    windows = renderer.windows(hospital, stored[len(stored) // 2])
    own = [Preset(w.explanation or f"{n}", f"{w.center:g},{w.width:g}", key=False) for n, w in enumerate(windows, 1)]
    first = Preset("window_dicom" if windows else "window_auto")
    return [first, *own[1:], *(CT_PRESETS if modality == "CT" else ())]
