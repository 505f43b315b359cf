"""What holds for every test: the slow ones begin first, so that the others run beside them."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
