"""Links of a mail and its text part, by hand."""

from campaigns.core.markup import replace_links, text_of


def test_each_address_of_a_link_is_replaced_and_nothing_else():
    seen = []

    def replace(address):
        seen.append(address)
        return f"https://t.example/?a={len(seen)}&b"

    source = (
        '<a href="https://s.example/?x=1&amp;y=2">one</a><A class="k" HREF = \'two\'>2</A><img src="https://s.example/i">'
        '<a title="a > b" data-href="no" href="three">3</a><a name="anchor">none</a><abbr href="four">no</abbr>'
    )
    found = replace_links(source, replace)
    assert seen == ["https://s.example/?x=1&y=2", "two", "three"]
    assert found == (
        '<a href="https://t.example/?a=1&amp;b">one</a><A class="k" HREF = \'https://t.example/?a=2&amp;b\'>2</A>'
        '<img src="https://s.example/i"><a title="a > b" data-href="no" href="https://t.example/?a=3&amp;b">3</a>'
        '<a name="anchor">none</a><abbr href="four">no</abbr>'
    )


def test_an_answer_can_not_leave_its_attribute():
    assert replace_links('<a href="x">y</a>', lambda _address: '"><script>') == (
        '<a href="&quot;&gt;&lt;script&gt;">y</a>'
    )


def test_the_text_part_says_what_the_mail_says():
    source = """<html><head><title>No</title><style>p {color: red}</style></head><body>
    <!--[if mso]><p>Outlook only</p><![endif]-->
    <h1>Hello   Ann</h1><p>Tea &amp; cake<br>for <b>you</b></p><script>alert(1)</script>
    <table><tr><td><img src="a.png" alt="A red mug"></td></tr></table><img src="pixel.gif" alt="">
    <ul><li>One</li><li>Two</li></ul><p><a href="https://s.example/?a=1&amp;b=2">Look</a> <a>here</a></p></body>"""
    assert text_of(source) == (
        "Hello Ann\n\nTea & cake\nfor you\n\n[A red mug]\n\nOne\n\nTwo\n\nLook (https://s.example/?a=1&b=2) here\n"
    )


def test_broken_markup_still_becomes_text():
    assert text_of("<p>a</b></a></title> b <a href='x'>c") == "a b c\n"
    assert text_of("") == "\n"
    assert text_of("1 < 2 & 3") == "1 < 2 & 3\n"
