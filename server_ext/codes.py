"""The stable codes that programs may meet in errors, in failed jobs and in the `error` event of live events."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """When a code is said, and the HTTP status that it comes with."""

    status: str
    """Empty for what no request is answered with."""
    meaning: str


CODES: dict[str, dict[str, Code]] = {
    "Any request": {
        "invalid_input": Code("400", "A field is missing or not right; the sentence names it."),
        "invalid_id": Code("400", "An id is not 1 to 64 of A-Z, a-z, 0-9, _ and -."),
        "not_signed_in": Code("401", "The token is missing or wrong."),
        "refused": Code(
            "403", "The page's origin is not listed, the XSRF token of a cookie is missing, or the user may not."
        ),
        "not_found": Code("404", "There is no such path."),
        "method_not_allowed": Code("405", "See the Allow header for what the path answers to."),
        "too_slow": Code("408", "The body did not arrive in time."),
        "too_large": Code("413", "A JSON body has more than a megabyte."),
        "too_many_requests": Code("429", "More requests a minute than a caller may send: go on after Retry-After."),
        "too_many_sockets": Code(
            "429",
            "As many connections for live events as an owner may have are open; over Socket.IO, in `connect_error`.",
        ),
        "internal": Code("500", "A fault of the server; its log says what."),
        "unavailable": Code("503", "A needed part is missing; the sentence says which."),
        "sign_in_unavailable": Code("503", "The Supabase project's keys can't be had; a token can't be checked."),
        "library_unavailable": Code("503", "The library can't be opened."),
        "database_unavailable": Code("503", "The database can't be reached."),
    },
    "Tracks and audio": {
        "track_not_found": Code("404", "There is no such track."),
        "audio_missing": Code("404", "The track has no audio, or it was deleted."),
        "no_stems": Code("404", "The track has no stems yet, or not this one, or not this set."),
        "no_artwork": Code("404", "The file carries no picture."),
        "in_use": Code("409", "A job works on the track: cancel it before you delete the track."),
        "bad_format": Code("400", "Choose flac, wav, mp3 or ogg."),
        "bad_range": Code("416", "The range begins beyond the end."),
        "audio_undecodable": Code("422", "The audio can't be decoded."),
        "too_long_for_wav": Code("422", "As WAV it would have more than 4 GiB: choose FLAC."),
        "disk_full": Code("503", "There is no room left where the library lives."),
    },
    "Uploads": {
        "no_file": Code("400", "The form has no file in `file`."),
        "two_files": Code("400", "The form has more than one file."),
        "bad_form": Code("400", "The form is malformed."),
        "bad_upload": Code("400", "The file's name or size is not right."),
        "upload_broken": Code("400", "Bytes are missing, or there are more than were announced."),
        "audio_empty": Code("422", "The file holds no audio; 400 where it is announced with no bytes."),
        "no_audio_stream": Code("422", "A film without sound."),
        "audio_not_finite": Code("422", "The audio holds samples that are no numbers."),
        "track_exists": Code("409", "This trackId belongs to other audio; 422 from a resumable upload."),
        "upload_too_large": Code("413", "The file has more than 4 GiB, or than an upload may have here."),
        "upload_ended": Code("409", "The upload has ended."),
        "upload_not_found": Code("404", "There is no such resumable upload, or it has ended."),
        "wrong_offset": Code("409", "Ask by HEAD how far the upload is, and go on from there."),
        "upload_elsewhere": Code("409", "Another request goes on with this upload."),
        "wrong_version": Code("412", "Send Tus-Resumable: 1.0.0."),
        "wrong_type": Code("415", "The body is of another Content-Type than is taken here."),
        "wrong_encoding": Code("415", "Send the file without a Content-Encoding."),
        "too_many_uploads": Code(
            "429", "As many resumable uploads as may be are unfinished: end one, or try again after Retry-After."
        ),
    },
    "Links": {
        "url_required": Code("400", "There is no link, and no trackInfo."),
        "invalid_url": Code("400", "This is no link to Spotify, or not to a track where one is needed."),
        "not_on_spotify": Code("404", "There is nothing there, or it is private."),
        "slow_down": Code(
            "429", "Spotify wants fewer requests; reading goes on by itself: ask again after Retry-After."
        ),
        "spotify_slow_down": Code("429", "Spotify wants fewer requests: ask again after Retry-After."),
        "upstream_failed": Code("502", "Spotify failed, more than once."),
        "spotify_refused": Code("502", "Spotify does not let this app have that."),
        "spotify_unreachable": Code("502", "The connection to Spotify failed, more than once."),
        "upstream_timeout": Code("504", "Spotify did not answer in time: ask again after Retry-After."),
        "no_spotify_credentials": Code("503", "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET are not set."),
        "spotify_credentials": Code("503", "Spotify does not take the credentials."),
        "no_sources": Code("503", "There is no way to ask Spotify: no credentials, and no spotDL."),
        "offline": Code("503", "The server was told to reach nobody else."),
    },
    "Asking for work": {
        "job_not_found": Code("404", "There is no such job here, or none was asked for."),
        "nothing_to_retry": Code("409", "Every part of the batch has completed."),
        "quota_exceeded": Code(
            "413", "There would be more audio and stems than an owner may keep, or a batch too large."
        ),
        "too_many_jobs": Code(
            "429", "As many of the owner's jobs as may be are unfinished: wait until some have ended."
        ),
        "unknown_model": Code("400", "No model has that name."),
        "unknown_stem": Code("400", "The model does not make that stem."),
        "bad_option": Code("400", "An option is not right, or would leave no stem."),
        "no_cluster": Code("503", "The workers could not be started, or can't be reached."),
        "no_worker": Code("503", "No worker is there to do jobs."),
    },
    "Jobs that ended in error": {
        "cancelled": Code("", "Over HTTP only: a download that was cancelled."),
        "no_match": Code("", "Nothing was found that is this track."),
        "unfit_download": Code("", "What was found is not the track: of another length, silent, or no audio."),
        "download_failed": Code("", "The download broke off, or the program that does it."),
        "download_timeout": Code("", "The download took too long."),
        "no_network": Code("", "Nobody could be reached."),
        "not_startable": Code("", "A program that downloads could not be started."),
        "no_spotdl": Code("", "The program spotDL is not installed."),
        "no_ffmpeg": Code("", "The program ffmpeg is not installed."),
        "model_unavailable": Code("", "The model's weights are not here and could not be fetched."),
        "model_broken": Code("", "The model's files are damaged."),
        "gpu_memory": Code("", "The graphics card's memory did not suffice."),
        "out_of_memory": Code("", "The machine's memory did not suffice."),
        "worker_died": Code("", "Whatever did the work ended in the middle of it, more than once."),
        "track_deleted": Code("", "The track was deleted meanwhile."),
    },
    "The `error` event": {
        "unknown_event": Code("", "Send one of the four events that are taken."),
        "malformed_frame": Code("", "A frame of the plain WebSocket is not a JSON object with an event."),
        "too_many_subscriptions": Code("", "A connection follows at most 1000 tracks and jobs."),
    },
}
"""By where they are met first; a failed job may have those of tracks and audio, and of links, too."""
