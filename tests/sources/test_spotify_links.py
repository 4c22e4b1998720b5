"""What counts as a link to Spotify, and what is turned away before anything starts."""

from __future__ import annotations

import pytest

from sfwidgets.errors import InvalidInputError
from sfwidgets.sources.links import parse_link

ID = "11dFghVXANMlKmJXsNCbNl"
PAGE = f"https://open.spotify.com/track/{ID}"

HOSTILE = [
    "https://open.spotify.com", "https://open.spotify.com/track/", f"https://open.spotify.com/show/{ID}",
    f"https://open.spotify.com/episode/{ID}", f"https://open.spotify.com/user/{ID}", f"spotify:show:{ID}",
    f"https://open.spotify.com.evil.org/track/{ID}", f"https://evil.org/open.spotify.com/track/{ID}",
    f"https://evilspotify.com/track/{ID}", f"https://open-spotify.com/track/{ID}", f"https://spotify.com.evil.org/{ID}",
    f"https://spotify.link.evil.org/track/{ID}", f"https://evil.org/https://spotify.link/{ID}",
    f"https://open.spotify.com@evil.org/track/{ID}", f"https://user:pass@open.spotify.com/track/{ID}",
    f"https://open.spotify.com:443/track/{ID}", f"https://open.spotify.com\\@evil.org/track/{ID}",
    f"{PAGE}/../../evil", f"//open.spotify.com/track/{ID}", f"ftp://open.spotify.com/track/{ID}",
    f"https://open.spotify.com/artist/../track/{ID}", f"https://open.spotify.com/intl-../track/{ID}",
    f"{PAGE};id", f"{PAGE}$(id)", f"{PAGE}`id`", f"{PAGE}|id", f"{PAGE}&&id", f"{PAGE}'", f'{PAGE}"', f"{PAGE}\0",
    f"{PAGE}?si=$(id)", f"{PAGE}?si=a;id", f"{PAGE}?si=`id`", f"{PAGE}?si='", f'{PAGE}?si="', f"{PAGE}?si=a|id",
    f"{PAGE}?si=a\nid", f"{PAGE}?si=a id", f"{PAGE}?si=<script>", f"{PAGE}?{'x' * 5000}",
    f"{PAGE} --output /etc/passwd", f"--config=/etc/passwd {PAGE}", f"{PAGE}\nhttps://evil.org", f"{PAGE}\r\nHost: evil",
    f"https://open.spotify.com/\ntrack/{ID}", f"spotify:track:{ID}\n--output=/tmp/x", "spotify:track:../..",
    f"https://open.spоtify.com/track/{ID}", f"https://open。spotify。com/track/{ID}", f"https://open.ſpotify.com/track/{ID}",
    f"https://open.spotify.com/track/{'x' * 65}", "https://open.spotify.com/track/%2e%2e", f"{PAGE[:-1]}é",
    "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "gopher://127.0.0.1:6379/_", "/etc/passwd",
    "http://127.0.0.1/", "http://localhost:8888/api/kernels", "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/", "http://10.0.0.1/", "http://0x7f000001/", "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
]  # fmt: skip


@pytest.mark.parametrize("link", HOSTILE)
def test_what_is_no_link_to_spotify_is_refused(link: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_link(link)
    assert (refused.value.code, refused.value.status) == ("invalid_url", 400)
    assert refused.value.message.startswith("Invalid Spotify URL: ")


@pytest.mark.parametrize("nothing", ["", " ", "\n\t "])
def test_no_link_is_a_fault_of_its_own(nothing: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_link(nothing)
    assert (refused.value.code, refused.value.message) == ("url_required", "URL is required")


@pytest.mark.parametrize("link", ["https://spotify.link/aBcDeF123", "spoti.fi/3xYz", "HTTPS://SPOTIFY.APP.LINK/x?y=z"])
def test_a_short_link_is_refused_with_what_to_do_instead(link: str) -> None:
    with pytest.raises(InvalidInputError, match="Open it in a browser, and copy the long address") as refused:
        parse_link(link)
    assert refused.value.code == "invalid_url"


@pytest.mark.parametrize("kind", ["track", "album", "playlist", "artist"])
@pytest.mark.parametrize(
    "form",
    [
        "https://open.spotify.com/{}/{}", "http://open.spotify.com/{}/{}/", "open.spotify.com/{}/{}", "spotify:{}:{}",
        "https://play.spotify.com/{}/{}", "spotify.com/{}/{}", "https://open.spotify.com/intl-de/{}/{}?si=4b3f_-",
        "https://open.spotify.com/intl-pt/{}/{}?si=1&utm_source=copy-link&context=spotify%3Aplaylist%3A37i9&dl=a.b~c",
        " https://open.spotify.com/{}/{}?go=1&sp_cid=ab&t=0#login\n", "HTTPS://OPEN.SPOTIFY.COM/{}/{}",
    ],
)  # fmt: skip
def test_links_are_read_in_all_forms_that_people_copy(form: str, kind: str) -> None:
    link = parse_link(form.format(kind, ID))
    assert link == (kind, ID)
    assert link.url == f"https://open.spotify.com/{kind}/{ID}"
