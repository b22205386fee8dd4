from tests.viewer_api.conftest import Site

CT_SMALL = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"
ACCEPT = {"Accept": "multipart/related; type=application/octet-stream; transfer-syntax=*"}  # as OHIF sends it


def test_a_frame_says_its_length_and_comes_in_ranges_as_the_progressive_loader_asks(filled: Site) -> None:
    """Streaming counts the bytes against Content-Length; ranges join to the same multipart body."""
    client = filled.client()
    (item,) = client.get("/dicom-web/instances", params={"SOPInstanceUID": CT_SMALL}).json()
    path = item["00081190"]["Value"][0] + "/frames/1"
    whole = client.get(path, headers=ACCEPT)
    assert whole.status_code == 200
    assert whole.headers["Content-Type"].startswith("multipart/related")
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    assert b"transfer-syntax=1.2.840.10008.1.2.4.202" in whole.content[:400], "the stored syntax, named in the part"
    first = client.get(path, headers={**ACCEPT, "Range": "bytes=0-1023"})
    rest = client.get(path, headers={**ACCEPT, "Range": "bytes=1024-"})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["Content-Range"] == f"bytes 0-1023/{len(whole.content)}"
    assert first.content + rest.content == whole.content
