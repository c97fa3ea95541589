"""Files of prompts: JSON and CSV say the same, and the first entry that is wrong is named."""

from __future__ import annotations

import json

import pytest

from annotator.errors import AnnotatorError
from annotator.formats.prompts import FilePrompt, read
from annotator.types import Point, Prompt

CAT = Prompt((Point(10, 20, 1), Point(1, 2, 0)), (5, 6, 70, 80))
EYE = Prompt((Point(3.5, 4, 1),))


def test_json_names_images_or_is_of_one_image() -> None:
    objects = [{"points": [[10, 20], [1, 2, 0]], "box": [5, 6, 70, 80]}, {"points": [[3.5, 4, 1]]}]
    assert [each.prompt for each in read(json.dumps(objects).encode())] == [CAT, EYE]
    named = read(json.dumps({"b.jpg": objects[1:], "a.jpg": objects}).encode())
    assert [(each.image, each.where) for each in named] == [
        ("b.jpg", "Object 1 of b.jpg"),
        ("a.jpg", "Object 1 of a.jpg"),
        ("a.jpg", "Object 2 of a.jpg"),
    ]


def test_lines_of_csv_with_the_same_object_of_an_image_are_one_prompt() -> None:
    text = (
        "\ufeffimage,object,x,y,label,x0,y0,x1,y1\r\n"
        "a.jpg,cat,10,20,,,,,\r\n"
        "a.jpg,,3.5,4,1,,,,\r\n"
        "b.jpg,cat,3.5,4,,,,,\r\n"
        "a.jpg,cat,1,2,0,5,6,70,80\r\n"
    )
    assert read(text.encode()) == [
        FilePrompt("a.jpg", "Line 2", CAT),
        FilePrompt("a.jpg", "Line 3", EYE),
        FilePrompt("b.jpg", "Line 4", EYE),
    ]


def test_csv_may_hold_only_points_or_only_boxes() -> None:
    assert read(b"x,y\n3.5,4\n") == [FilePrompt("", "Line 2", EYE)]
    assert read(b"x0,y0,x1,y1\n1,2,3,4\n") == [FilePrompt("", "Line 2", Prompt(box=(1, 2, 3, 4)))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"points": [[1, 2]]}, {"points": [[1]]}]', "Object 2: A point should be (x, y) or (x, y, label), not [1]."),
        ('[{"box": [1, 2, 3, "x"]}]', "Object 1: A box should be (x0, y0, x1, y1), not [1, 2, 3, 'x']."),
        ('{"a.jpg": [{}]}', "Object 1 of a.jpg: It needs a point or a box."),
        ('{"a.jpg": [7]}', 'Object 1 of a.jpg: It should be like {"points"'),
        ('{"a.jpg": 7}', "The objects of a.jpg should be a list."),
        ('[{"point": [1, 2]}]', "Object 1: 'point' is not known; there are points and box."),
        ('{"a.jpg": [], "a.jpg": []}', 'has the key "a.jpg" twice'),
        ('[{"points": [[1, 2]]', "This file is not JSON."),
        ("x,y\n1,2\n3,\n", "Line 3: A point should be"),
        ("x,y\n1,2\n3\n", "Line 3: It does not have as many values as the first line."),
        ("x,y,label\n1,2,5\n", "Line 2: The label of a point should be 1 (object) or 0 (background)."),
        ("x,y,lable\n1,2,0\n", "Line 1: 'lable' is no column of prompts"),
        ("object,x0,y0,x1,y1\na,1,2,3,4\na,1,2,3,4\n", "Line 3: Object a has a box already."),
        ("image,x,y\na,,\n", "Line 2: It needs a point or a box."),
        ("", "Line 1: '' is no column of prompts"),
        ("[]", "It names no objects."),
        ('{"a.jpg": []}', "It names no objects."),
        ("x,y\n", "It names no objects."),
        ("\xff", "neither JSON nor CSV"),
    ],
)
def test_the_first_entry_that_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(AnnotatorError) as error:
        read(text.encode("latin-1"))
    assert says in str(error.value)
