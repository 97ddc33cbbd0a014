import pytest

from data_tools.e2e.meaning import fields_of, linearised


@pytest.mark.parametrize(("mr", "text"), [
    ("name[Blue Spice], eatType[coffee shop], area[city centre]",
     "name : Blue Spice | Type : coffee shop | area : city centre"),
    ("name[X], priceRange[£20-25], familyFriendly[yes], customer rating[3 out of 5]",
     "name : X | price : £ 20 - 25 | family friendly : yes | customer rating : 3 out of 5"),
    ("name[Café Rouge],near[Bob's, Inc.]", "name : Café Rouge | near : Bob ' s , Inc ."),
])
def test_fields_keep_their_order_and_punctuation_stands_apart(mr, text):
    assert linearised(mr) == text


@pytest.mark.parametrize("mr", ["name", "name[X", "name[X] area[Y]", "[X]", "name[X]]"])
def test_what_is_no_field_is_refused(mr):
    with pytest.raises(ValueError, match="expected fields such as"):
        linearised(mr)


def test_fields_by_name():
    assert fields_of("name : X | customer rating : 3 out of 5") == {
        "name": "X", "customer rating": "3 out of 5"}
    with pytest.raises(ValueError, match="expected parts such as"):
        fields_of("name : X | area")
