import pytest
from hub.people import Duty
from tests.hub.world import CODE, EMPTY_CODE
from tests.browser.test_pages import contexts, Watched
from axe_playwright_python.sync_playwright import Axe
pytestmark = pytest.mark.service("chromium")

def test_mine(contexts, url, app, members):
    css = open("/tmp/mine.css").read() if __import__("os").path.exists("/tmp/mine.css") else ""
    wrong = []
    from hub.portal.rendering import static_files
    if css:
        f = static_files(); f["portal.css"] = (css.encode(), f["portal.css"][1])
    paths = [(f"/r/{CODE}?tab={t}", Duty.STAFF) for t in ("about","fields","samples","quality","lineage","grants","versions")]
    paths += [("/requests", Duty.STAFF), ("/grants", Duty.STAFF), ("/grants/G1", Duty.STAFF), (f"/apply/{EMPTY_CODE}", Duty.STAFF)]
    from hub.cases import Case
    office = app.state.service.office
    from hub.requested import find
    case = find(office)[0].id
    paths += [(f"/requests/{case}", Duty.STAFF)]
    for kind in [(True,"zh",False,1280),(True,"en",False,320),(True,"zh",True,320)]:
        for path, duty in paths:
            w = contexts(kind, duty)
            st = w.see(path)
            page = w.page
            if css: page.add_style_tag(content=css) if False else None
            for d in page.locator("details").all()[:12]:
                d.evaluate("e => e.open = true")
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            faults = [f for f in w.faults]
            if wide > 1: faults.append(f"{wide} wide")
            faults += [f"{o['id']} {o['impact']}: {o['nodes'][0]['html'][:200]}" for o in Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).response["violations"]]
            name = path.replace("/","_").replace("?","_") + f"_{kind[1]}_{kind[3]}_{kind[2]}"
            page.screenshot(path=f"/tmp/shots/{name}.png", full_page=True)
            if faults or st != 200: wrong.append((kind, path, st, faults, w.bytes))
    # the pages of applying
    for kind in [(True,"zh",False,1280),(True,"en",False,320)]:
        w = contexts(kind, Duty.STAFF); page = w.page
        w.see(f"/apply/{EMPTY_CODE}")
        page.locator("input[name=purpose]").first.check()
        for step in ("fields","terms","check"):
            page.locator("button[name=to]").first.click()
            page.wait_for_load_state()
            if step == "fields":
                page.locator("input[name=field]").nth(1).check()
                page.locator("input[name=common_reason]").fill("办理事项所需")
            faults = [f for f in w.faults]
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if wide > 1: faults.append(f"{wide} wide")
            faults += [f"{o['id']} {o['impact']}: {o['nodes'][0]['html'][:200]}" for o in Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).response["violations"]]
            page.screenshot(path=f"/tmp/shots/apply_{step}_{kind[1]}_{kind[3]}.png", full_page=True)
            if faults: wrong.append((kind, step, faults))
    for one in wrong: print(one)
    assert not wrong
