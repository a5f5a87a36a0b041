"""The back office's name. Each context registers its own pages in its `admin.py`."""

from django.contrib import admin

admin.site.site_header = "GoalGraph back office"
admin.site.site_title = "GoalGraph"
admin.site.index_title = "Back office"
admin.site.site_url = None  # there is no page of ours to view: members use applications of their own
