"""Members, goals, tasks and points in SQL."""

from django.db import models


class Profile(models.Model):
    id = models.CharField(primary_key=True, max_length=128)
    nickname = models.CharField(max_length=50, blank=True)
    avatar_url = models.URLField(blank=True)
    language = models.CharField(max_length=20, blank=True)
    tags = models.JSONField(default=list)
    tier = models.CharField(max_length=20, default="free")
    timezone = models.CharField(max_length=64, default="UTC")


class Goal(models.Model):
    id = models.CharField(primary_key=True, max_length=300)
    owner = models.ForeignKey(Profile, models.CASCADE, related_name="goals")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    tags = models.JSONField(default=list)
    status = models.CharField(max_length=10, default="active")
    task_count = models.IntegerField(default=0)
    done_count = models.IntegerField(default=0)
    created_at = models.DateTimeField()


class Task(models.Model):
    id = models.CharField(primary_key=True, max_length=400)
    goal = models.ForeignKey(Goal, models.CASCADE, related_name="tasks")
    owner = models.ForeignKey(Profile, models.CASCADE, related_name="tasks")
    title = models.CharField(max_length=200)
    due_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=10, default="open")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["owner", "status", "due_at"])]


class Aggregate(models.Model):
    profile = models.OneToOneField(Profile, models.CASCADE, primary_key=True, related_name="aggregate")
    score = models.IntegerField(default=0)
    level = models.IntegerField(default=1)
    streak_current = models.IntegerField(default=0)
    streak_longest = models.IntegerField(default=0)
    streak_freezes = models.IntegerField(default=0)
    badges = models.JSONField(default=list)
