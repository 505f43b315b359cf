"""The portal: pages for people, in Chinese and English, which work without JavaScript and print well.

It is a door like the others: what a step does, and who may take it, is the use cases' affair.
"""
