"""The page's security policy: a day's work breaks none of it, and a script that was put into the page does not run."""

from __future__ import annotations

from driver import Annotator, with_photo

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""

INJECTED = """
() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = 'inline'";
  document.body.append(script);
  const image = document.createElement("div");
  image.innerHTML = `<img src="page/none.png" onerror="window.ran = 'handler'">`;
  document.body.append(image);
  const link = document.createElement("a");
  link.href = "javascript:window.ran = 'address'";
  document.body.append(link);
  link.click();
  const foreign = document.createElement("script");
  foreign.src = "https://evil.test/a.js";
  document.body.append(foreign);
  const data = document.createElement("script");
  data.src = "data:text/javascript,window.ran = 'data'";
  document.body.append(data);
  const base = document.createElement("base");
  base.href = "https://evil.test/";
  document.head.prepend(base);
}
"""


def test_a_days_work_breaks_no_rule_and_scripts_that_are_put_in_do_not_run(page: Annotator) -> None:
    page.page.add_init_script(WATCH)
    page.reload()
    with_photo(page)
    page.click(200, 150)
    page.press("Enter")
    page.until("annotations.length === 1")
    page.press("Control+z", "Control+Shift+z", "?", "Escape")
    assert page.export().stat().st_size
    assert page.page.evaluate("violations") == []
    page.reload()
    page.until("annotations.length === 1")
    assert page.page.evaluate("violations") == []

    page.page.evaluate(INJECTED)
    page.page.wait_for_function("() => violations.length >= 6")
    assert page.page.evaluate("window.ran") is None
    assert set(page.page.evaluate("violations")) == {"script-src-elem", "script-src-attr", "base-uri"}


def test_the_description_of_the_routes_breaks_no_rule(page: Annotator, server_url: str) -> None:
    page.page.add_init_script(WATCH)
    page.page.goto(f"{server_url}/docs")
    page.appears(".opblock")
    assert page.page.evaluate("violations") == []
