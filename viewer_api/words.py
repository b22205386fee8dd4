"""Every sentence of the pages, in Vietnamese and English.

Law: a page writes no words of its own; both languages stand side by side, so neither can be forgotten. Written as
people in a hospital speak, not word for word.
"""

from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

LANGUAGES = ("vi", "en")
COOKIE = "pacs_language"

WORDS: Mapping[str, tuple[str, str]] = {
    "archive": ("Kho ảnh", "Image archive"),
    "language": ("Ngôn ngữ", "Language"),
    "sign_out": ("Thoát", "Sign out"),
    "skip": ("Tới nội dung chính", "Skip to content"),
    "worklist": ("Danh sách ca", "Studies"),
    "search": ("Tìm", "Search"),
    "search_hint": ("Tên, mã BN, số phiếu, “ct hôm qua”…", "Name, patient ID, accession number, “ct yesterday”…"),
    "search_label": ("Tìm bệnh nhân hoặc ca chụp", "Find a patient or a study"),
    "clear": ("Xoá bộ lọc", "Clear filters"),
    "any_day": ("Mọi ngày", "Any day"),
    "today": ("Hôm nay", "Today"),
    "yesterday": ("Hôm qua", "Yesterday"),
    "last_7_days": ("7 ngày", "7 days"),
    "last_30_days": ("30 ngày", "30 days"),
    "when": ("Thời gian", "When"),
    "modality": ("Loại máy", "Modality"),
    "any_modality": ("Mọi loại máy", "Any modality"),
    "XQ": ("XQ", "X-ray"),
    "SA": ("SA", "US"),
    "no_studies": ("Chưa có ảnh nào", "No images yet"),
    "no_studies_hint": (
        "Ảnh máy chụp gửi tới sẽ hiện ở đây sau vài giây.",
        "Images appear here a few seconds after a modality sends them.",
    ),
    "no_match": ("Không tìm thấy ca nào", "No study found"),
    "no_match_hint": (
        "Thử gõ ít chữ hơn, không cần dấu, hoặc chọn “Mọi ngày”.",
        "Try fewer letters, without accents, or choose “Any day”.",
    ),
    "newer": ("Trang trước", "Previous page"),
    "older": ("Trang sau", "Next page"),
    "page": ("Trang", "Page"),
    "series_count": ("loạt", "series"),
    "image_count": ("ảnh", "images"),
    "frame_count": ("khung hình", "frames"),
    "no_name": ("(không có tên)", "(no name)"),
    "no_id": ("(không có mã)", "(no ID)"),
    "no_description": ("(không có mô tả)", "(no description)"),
    "no_date": ("không rõ ngày", "no date"),
    "patient": ("Bệnh nhân", "Patient"),
    "patient_id": ("Mã BN", "Patient ID"),
    "born": ("Sinh", "Born"),
    "accession_number": ("Số phiếu", "Accession number"),
    "referring": ("Bác sĩ chỉ định", "Referring physician"),
    "male": ("Nam", "Male"),
    "female": ("Nữ", "Female"),
    "other_sex": ("Khác", "Other"),
    "two_patients": ("Hai bệnh nhân dùng chung một mã ca chụp", "Two patients share one study identifier"),
    "two_patients_hint": (
        "Máy chụp đã gửi một Study UID cho nhiều bệnh nhân. Ảnh mỗi người được để riêng; hãy xem kỹ tên và mã.",
        "A modality sent one Study UID for several patients. Their images are kept apart; check name and ID first.",
    ),
    "documents": ("Tài liệu và dữ liệu khác", "Documents and other data"),
    "no_picture": ("Không có hình để xem", "No picture to show"),
    "back_to_list": ("Về danh sách", "Back to the list"),
    "back_to_study": ("Về ca chụp", "Back to the study"),
    "open_in_ohif": ("Mở trong OHIF", "Open in OHIF"),
    "sign_in": ("Đăng nhập", "Sign in"),
    "sign_in_lead": ("Bạn cần một đường dẫn đăng nhập.", "You need a sign-in link."),
    "sign_in_link": (
        "Mở đường dẫn dùng một lần mà kho ảnh in ra khi khởi động, hoặc xin người quản trị một đường dẫn mới.",
        "Open the one-time link that the archive printed when it started, or ask your administrator for a new one.",
    ),
    "sign_in_program": (
        "Cho chương trình: lệnh dưới đây in ra mã truy cập, gửi kèm trong tiêu đề Authorization: Bearer.",
        "For programs: this command prints a token; send it as Authorization: Bearer.",
    ),
    "link_used": (
        "Đường dẫn này đã được dùng hoặc đã hết hạn.",
        "This link has been used already or has expired.",
    ),
    "viewer": ("Xem ảnh", "Viewer"),
    "slices": ("Lát cắt", "Slices"),
    "slice": ("Ảnh", "Image"),
    "previous_slice": ("Ảnh trước", "Previous image"),
    "next_slice": ("Ảnh sau", "Next image"),
    "window": ("Cửa sổ", "Window"),
    "window_dicom": ("Theo máy", "As sent"),
    "window_auto": ("Tự động", "Automatic"),
    "window_soft_tissue": ("Bụng, mô mềm", "Abdomen, soft tissue"),
    "window_lung": ("Phổi", "Lung"),
    "window_bone": ("Xương", "Bone"),
    "window_brain": ("Não", "Brain"),
    "window_mediastinum": ("Trung thất", "Mediastinum"),
    "window_liver": ("Gan", "Liver"),
    "window_vessels": ("Mạch máu", "Vessels"),
    "fit": ("Vừa màn hình", "Fit"),
    "one_to_one": ("1:1", "1:1"),
    "invert": ("Đảo màu", "Invert"),
    "rotate": ("Xoay", "Rotate"),
    "keys": ("Phím tắt", "Keys"),
    "close": ("Đóng", "Close"),
    "key_slices": ("Lăn chuột, ↑ ↓", "Wheel, ↑ ↓"),
    "key_zoom": ("Ctrl + lăn chuột, + −", "Ctrl + wheel, + −"),
    "key_pan": ("Kéo chuột", "Drag"),
    "key_windows": ("1 … 9", "1 … 9"),
    "zoom": ("Phóng to, thu nhỏ", "Zoom"),
    "pan": ("Di chuyển", "Pan"),
    "cannot_load": ("Không tải được ảnh này", "This image could not be loaded"),
    "needs_script": ("Trang xem ảnh cần JavaScript.", "The viewer needs JavaScript."),
    "other_series": ("Loạt khác", "Other series"),
    "api": ("Giao diện lập trình", "Programming interface"),
    "api_lead": ("Mọi đường dẫn cần đăng nhập hoặc mã truy cập.", "Every path needs a session or a token."),
    "api_document": ("Mô tả OpenAPI (JSON)", "OpenAPI document (JSON)"),
    "modalities": ("Máy và trạm", "Modalities and workstations"),
    "known_modalities": ("Đã được biết", "Known"),
    "no_modalities": ("Chưa có máy nào được ghi vào sổ.", "None is registered yet."),
    "unknown_callers": ("Máy lạ đã gọi tới", "Unknown, but they called"),
    "no_callers": ("Không có máy lạ nào gọi tới.", "No unknown modality has called."),
    "admit": ("Cho vào", "Admit"),
    "admit_hint": (
        "Được cho vào, máy gửi ảnh, xin xác nhận lưu trữ và lấy danh sách chỉ định. Chỉ cho vào máy mà bạn biết.",
        "Admitted, it may send images, ask for commitment and take the worklist. Admit only those you know.",
    ),
    "wrong_called": ("Gọi sai AE title", "It calls a wrong AE title"),
    "ae_title": ("AE title", "AE title"),
    "address": ("Địa chỉ", "Address"),
    "port": ("Cổng", "Port"),
    "rights": ("Được làm", "May"),
    "note": ("Ghi chú", "Note"),
    "times": ("Số lần", "Times"),
    "first_seen": ("Lần đầu", "First seen"),
    "last_seen": ("Lần cuối", "Last seen"),
    "right_store": ("gửi ảnh", "store"),
    "right_query": ("tìm", "query"),
    "right_retrieve": ("lấy ảnh", "retrieve"),
    "right_commit": ("xác nhận lưu trữ", "commitment"),
    "right_worklist": ("danh sách chỉ định", "worklist"),
    "right_mpps": ("báo đã chụp", "performed steps"),
    "right_destination": ("nơi nhận ảnh", "destination"),
    "error_400": ("Yêu cầu không hợp lệ", "The request does not make sense"),
    "error_403": ("Bạn không được phép làm việc này", "This is not allowed for you"),
    "error_404": ("Không có trang hoặc ca chụp này", "There is no such page or study"),
    "error_406": ("Không có hình để xem", "There is no picture to show"),
    "error_500": ("Đã có lỗi ngoài dự kiến", "Something unexpected happened"),
    "error_413": ("Phạm vi tìm quá rộng, hãy thêm ngày hoặc tên", "Too much to look through: add a day or a name"),
    "error_503": ("Kho ảnh đang bận hoặc tạm ngừng", "The archive is busy or paused"),
    "error_hint": (
        "Thử lại sau ít phút. Nếu vẫn lỗi, hãy báo cho người quản trị.",
        "Try again in a few minutes. If it keeps failing, tell your administrator.",
    ),
}


def language_of(request: Request) -> str:
    """The language of the pages for this request: asked now, remembered, or Vietnamese."""
    for wish in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    return LANGUAGES[0]


def remember_language(request: Request, response: Response) -> Response:
    """Keep a language that was asked for with ``?lang=`` for a year."""
    wish = request.query_params.get("lang")
    if wish in LANGUAGES:
        response.set_cookie(COOKIE, str(wish), max_age=31536000, samesite="lax", httponly=True, path="/")
    return response


def word(language: str, key: str) -> str:
    """The words of ``key`` in ``language``; raises KeyError for a key that does not exist."""
    return WORDS[key][LANGUAGES.index(language)]
