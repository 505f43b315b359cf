"""How long the bodies behind entries are kept (正文保存): until their time is over, longer while held, or erased."""
